# SPDX-License-Identifier: Apache-2.0
"""A site's own words join the lists of the package."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from deid import Deidentifier, Option, Policy
from deid.batch.settings import Settings
from deid.errors import SiteVocabularyError
from deid.policy import FreeText
from deid.profile_files import ProfileFileError, load
from deid.site_vocabulary import SiteVocabulary, SiteWords, write_vocabulary
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of


def described(policy: Policy, text: str, patient: str = "Doe^Jane") -> str:
    dataset = ct(SeriesDescription=text)
    dataset.PatientName = patient
    scan = Deidentifier(KEY, PIPELINE, policy).deidentify(file_of(dataset))
    return str(scan.dataset.get("SeriesDescription", ""))


def policy_with(path: Path, free_text: FreeText = FreeText.LISTED, **words: str) -> Policy:
    lists = {name: frozenset(text.split()) for name, text in words.items()}
    write_vocabulary(path, SiteWords(**lists))
    return Policy(vocabulary=str(path), free_text=free_text)


def test_a_whitelisted_word_stays_although_no_list_of_the_package_has_it(tmp_path: Path) -> None:
    assert described(Policy(), "Thorax Lumorix") == "Thorax"
    policy = policy_with(tmp_path / "words.json", whitelist="lumorix")
    assert described(policy, "Thorax Lumorix") == "Thorax Lumorix"


def test_a_whitelisted_word_goes_where_it_is_the_patients_name(tmp_path: Path) -> None:
    policy = policy_with(tmp_path / "words.json", whitelist="lumorix")
    assert described(policy, "Thorax Lumorix", "Lumorix^Ann") == "Thorax"


def test_a_graylisted_word_goes_although_the_package_lists_it(tmp_path: Path) -> None:
    assert described(Policy(), "Thorax axial") == "Thorax axial"
    policy = policy_with(tmp_path / "words.json", graylist="axial")
    assert described(policy, "Thorax axial") == "Thorax"


def coded(policy: Policy, meaning: str, scheme: str = "99HOSPITAL", value: str = "X1") -> str:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    dataset = ct(ProcedureCodeSequence=Sequence([code]))
    options = (*PIPELINE, Option.CLEAN_STRUCTURED_CONTENT)
    scan = Deidentifier(KEY, options, policy).deidentify(file_of(dataset))
    return str(scan.dataset.ProcedureCodeSequence[0].CodeMeaning)


@pytest.mark.parametrize("free_text", list(FreeText))
def test_the_meaning_of_a_code_is_held_against_the_sites_words_too(
    tmp_path: Path, free_text: FreeText
) -> None:
    assert coded(Policy(), "Thorax Lumorix") == "Thorax"
    policy = policy_with(tmp_path / "words.json", free_text, whitelist="lumorix", graylist="axial")
    assert coded(policy, "Thorax Lumorix") == "Thorax Lumorix"
    assert coded(policy, "Thorax axial") == "Thorax"
    # A code of a standard scheme whose meaning is not the standard's.
    assert coded(policy, "Lumorix", "SCT", "123456789") == "Lumorix"
    assert coded(policy, "axial", "SCT", "123456789") == "123456789"


def test_a_whitelisted_word_of_a_meaning_goes_where_it_is_the_patients_name(
    tmp_path: Path,
) -> None:
    policy = policy_with(tmp_path / "words.json", whitelist="doe")
    assert coded(policy, "Thorax Doe") == "Thorax"


def test_the_standards_own_meaning_of_a_code_stays_whatever_the_graylist_says(
    tmp_path: Path,
) -> None:
    policy = policy_with(tmp_path / "words.json", graylist="finding")
    assert coded(policy, "Finding", "DCM", "121071") == "Finding"


def test_where_texts_are_read_a_graylisted_words_surroundings_decide(tmp_path: Path) -> None:
    words = {"whitelist": "lumorix", "graylist": "valve"}
    policy = policy_with(tmp_path / "words.json", FreeText.DETECTED, **words)
    assert described(policy, "Lumorix protocol of the heart valve") == (
        "Lumorix protocol of the heart valve"
    )
    assert "Valve" not in described(policy, "Seen by Dr. Valve")


def test_a_changed_file_holds_from_the_next_text_on(tmp_path: Path) -> None:
    path = tmp_path / "words.json"
    policy = policy_with(path, whitelist="lumorix")
    cleaner = SiteVocabulary(path)
    assert cleaner.words().whitelist == {"lumorix"}
    policy_with(path, whitelist="lumorix corvex")
    assert cleaner.words().whitelist == {"lumorix", "corvex"}
    path.unlink()
    assert cleaner.words() == SiteWords()
    assert policy.vocabulary


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": 1}', '{"format": 9, "whitelist": [], "graylist": []}',
                '{"format": 1, "whitelist": "word", "graylist": []}'],
)  # fmt: skip
def test_a_file_that_is_no_vocabulary_stops_everything(tmp_path: Path, content: str) -> None:
    (tmp_path / "words.json").write_text(content, encoding="utf-8")
    with pytest.raises(SiteVocabularyError):
        described(Policy(vocabulary=str(tmp_path / "words.json")), "Thorax")


def test_only_its_owner_may_read_a_vocabulary(tmp_path: Path) -> None:
    write_vocabulary(tmp_path / "words.json", SiteWords())
    assert (tmp_path / "words.json").stat().st_mode & 0o077 == 0


def test_a_profile_names_its_vocabulary_and_new_words_are_another_run(tmp_path: Path) -> None:
    words, profile = tmp_path / "words.json", tmp_path / "site.toml"
    write_vocabulary(words, SiteWords(frozenset({"lumorix"})))
    profile.write_text(f'options = ["clean-descriptors"]\nvocabulary = "{words}"', "utf-8")
    loaded = load(str(profile))
    assert described(loaded.policy, "Thorax Lumorix") == "Thorax Lumorix"
    settings = Settings(tmp_path / "key", loaded.options, loaded.policy)
    before = settings.digest()
    write_vocabulary(words, SiteWords(frozenset({"lumorix", "corvex"})))
    assert settings.digest() != before


def test_a_profile_whose_vocabulary_is_missing_is_refused(tmp_path: Path) -> None:
    profile = tmp_path / "site.toml"
    profile.write_text('vocabulary = "/nowhere/words.json"', "utf-8")
    with pytest.raises(ProfileFileError, match="vocabulary"):
        load(str(profile))
