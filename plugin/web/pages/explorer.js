// SPDX-License-Identifier: AGPL-3.0-or-later
// Orthanc Explorer's pages of a study, series and instance get a button that opens Sidelight's page.

(function () {
  "use strict";

  function addButton(page, before) {
    $("#" + page).live("pagebeforecreate", function () {
      var item = $("<li>").attr("data-icon", "search");
      var link = $("<a>").attr("href", "#").attr("id", page + "-sidelight").text("Sidelight findings");
      link.click(function (event) {
        event.preventDefault();
        if ($.mobile.pageData) {
          window.location.href = "../sidelight/ui/index.html#" + page + "=" + $.mobile.pageData.uuid;
        }
      });
      item.append(link).insertBefore($(before).parent());
    });
  }

  addButton("study", "#study-delete");
  addButton("series", "#series-delete");
  addButton("instance", "#instance-delete");

  $("#lookup").live("pagebeforecreate", function () {
    var link = $("<a>")
      .attr("href", "../sidelight/ui/index.html")
      .attr("rel", "external")
      .attr("data-role", "button")
      .attr("data-icon", "search")
      .text("Sidelight worklist");
    $("#lookup .ui-btn-left, #lookup [data-role=header] [data-role=controlgroup]").first().append(link);
  });
})();
