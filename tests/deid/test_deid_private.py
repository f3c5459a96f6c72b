# SPDX-License-Identifier: Apache-2.0
"""Private elements stay by the site's word, the standard's list, or the file's own claim."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from deid import Deidentifier, Option, Policy, PrivateAttribute, SiteRule
from tests.deid.made_scans import KEY, ct, file_of

LISTED = (Option.SAFE_PRIVATE,)


def scan_with(status: str, text: str = "fast mode") -> bytes:
    dataset = ct()
    block = dataset.private_block(0x0029, "QUIBBLE SOFT", create=True)
    block.add_new(1, "LO", text)
    block.add_new(2, "US", 7)
    claim = Dataset()
    claim.PrivateGroupReference, claim.PrivateCreatorReference = 0x0029, "QUIBBLE SOFT"
    claim.BlockIdentifyingInformationStatus = status
    if status == "MIXED":
        claim.NonidentifyingPrivateElements = [2]
    dataset.PrivateDataElementCharacteristicsSequence = Sequence([claim])
    return file_of(dataset)


def kept(content: bytes, options=LISTED, policy: Policy | None = None) -> set[int]:
    output = Deidentifier(KEY, options, policy).deidentify(content).dataset
    return {int(tag) & 0xFF for tag in output.keys() if tag.is_private and tag.element > 0xFF}  # noqa: SIM118


def test_a_block_that_the_file_declares_safe_stays() -> None:
    assert kept(scan_with("SAFE")) == {1, 2}


def test_of_a_mixed_block_only_the_elements_named_stay() -> None:
    assert kept(scan_with("MIXED")) == {2}


def test_an_unsafe_block_goes_and_without_the_option_every_block_goes() -> None:
    assert kept(scan_with("UNSAFE")) == set()
    assert kept(scan_with("SAFE"), options=()) == set()


def test_a_name_of_the_header_goes_whatever_the_file_declares() -> None:
    assert kept(scan_with("SAFE", "seen by Doe")) == {2}


def test_a_site_rule_comes_before_list_and_claim() -> None:
    here = PrivateAttribute("QUIBBLE SOFT", 0x0029, 2)
    keeps = Policy(private_elements=(SiteRule(here, "US"),))
    removes = Policy(private_elements=(SiteRule(here, "US", keep=False),))

    assert kept(scan_with("UNSAFE"), options=(), policy=keeps) == {2}
    assert kept(scan_with("SAFE"), policy=removes) == {1}


def test_digests_of_the_report_are_keyed_and_equal_for_equal_values() -> None:
    policy = Policy(record_digests=True)
    records = Deidentifier(KEY, (), policy).deidentify(scan_with("SAFE")).report.elements
    other = Deidentifier(KEY, (), policy).deidentify(scan_with("SAFE", "other")).report.elements
    plain = Deidentifier(KEY).deidentify(scan_with("SAFE")).report.elements

    by_path = {record.path: record.digest for record in records}
    others = {record.path: record.digest for record in other}
    assert all(len(by_path[record.path]) == 16 for record in plain if record.action != "added")
    assert by_path["00100020"] == others["00100020"]
    assert by_path["00291001"] != others["00291001"]
    assert {record.digest for record in plain} == {""}


def test_a_kept_value_does_not_tell_by_its_digest_what_a_removed_one_was() -> None:
    policy = Policy(record_digests=True)
    scan = ct(PatientWeight="70", KVP="70", SliceThickness="70", PatientBirthDate="19700101")
    other = ct(PatientID="4712", PatientWeight="70", PatientBirthDate="19700101")
    told, foreign = (
        {
            record.path: record.digest
            for record in Deidentifier(KEY, (), policy).deidentify(one).report.elements
        }
        for one in (scan, other)
    )

    assert len({told[path] for path in ("00101030", "00180060", "00180050")}) == 3
    assert told["00100030"] != foreign["00100030"]
    assert told["00101030"] != foreign["00101030"]


def test_a_sequence_of_which_nothing_is_left_has_its_own_digest() -> None:
    scan = ct()
    scan.RequestAttributesSequence = [ct(SOPClassUID=None)]
    scan.RequestAttributesSequence[0].clear()
    scan.RequestAttributesSequence[0].add_new(0x00990011, "LO", "ACME")
    records = Deidentifier(KEY, (), Policy(record_digests=True)).deidentify(scan).report.elements

    (own,) = [record for record in records if record.path == "00400275"]
    assert own.digest
    assert all(record.digest for record in records if record.action != "added")


def test_a_claim_still_says_of_what_it_is_one_where_its_block_stays() -> None:
    (claim,) = (
        Deidentifier(KEY, LISTED)
        .deidentify(scan_with("SAFE"))
        .dataset.PrivateDataElementCharacteristicsSequence
    )
    assert claim.PrivateCreatorReference == "QUIBBLE SOFT"
    assert claim.BlockIdentifyingInformationStatus == "SAFE"


def test_a_creator_whose_block_goes_is_not_named_by_a_claim_either() -> None:
    for options in ((), LISTED):
        made = Deidentifier(KEY, options).deidentify(scan_with("UNSAFE"))
        assert b"QUIBBLE" not in made.to_bytes()
