// SPDX-License-Identifier: AGPL-3.0-or-later
// Which display set OHIF's own HangingProtocolService puts into which viewport, in Node.
// Usage: node matching.cjs BUNDLE < cases: [{studies, displaySets, protocols}] > [[name or null]]
"use strict";
const Module = require("module");
const fs = require("fs");

// Drawing and DICOM parsing are not asked for anything while protocols are matched.
const nothing = () =>
  new Proxy(function () {}, {
    get: (_, key) => (key === Symbol.toPrimitive ? () => "" : nothing()),
    apply: () => nothing(),
    construct: () => nothing(),
  });
const load = Module._load;
Module._load = function (name, ...rest) {
  return name === process.argv[2] ? load.call(this, name, ...rest) : nothing();
};
globalThis.window = globalThis.self = globalThis;
globalThis.addEventListener = () => {};
globalThis.navigator ??= { userAgent: "node" };
globalThis.CustomEvent ??= class {};
globalThis.document = nothing();
globalThis.location = { href: "http://localhost/", search: "", pathname: "/" };
console.log = console.warn = () => {};

const { HangingProtocolService } = require(process.argv[2]);
const empty = { layoutType: "grid", properties: { rows: 1, columns: 1 } };

function hung({ studies, displaySets, protocols }) {
  const sets = displaySets.map(({ name, ...tags }) => {
    const instances = [tags];
    return { ...tags, displaySetInstanceUID: name, images: instances, instances };
  });
  const displaySetService = {
    getDisplaySetByUID: (uid) => sets.find((one) => one.displaySetInstanceUID === uid),
  };
  const commands = { run() {}, runCommand() {} };
  const service = new HangingProtocolService(commands, { services: { displaySetService } });
  const stages = [{ id: "default", viewportStructure: empty }];
  service.addProtocol("default", {
    id: "default", stages, displaySetSelectors: {}, protocolMatchingRules: [],
  });
  service.run({ studies, displaySets: sets, activeStudy: studies[0] }, "default");
  for (const one of protocols) {
    service.addProtocol(one.id, one);
    service.setProtocol(one.id);
  }
  const ports = [...service.getMatchDetails().viewportMatchDetails.values()];
  return ports.map((port) => port.displaySetsInfo?.[0]?.displaySetInstanceUID ?? null);
}

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map(hung)));
