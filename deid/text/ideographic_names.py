# SPDX-License-Identifier: Apache-2.0
"""Names in scripts that write no spaces: Han, kana, hangul."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.text.kinds import Kind, Span
from deid.text.passage import Passage
from deid.text.tokens import is_unspaced

_IDEOGRAPHIC_TITLE = re.compile(
    r"([\u3400-\u9fff\u3040-\u30ff々]{2,8}?|[\uac00-\ud7a3]{2,4})\s?"
    r"(さん|様|氏|先生|医師|医生|医师|醫師|主任|大夫|女士|小姐|님|씨|선생님|교수|환자|과장)"
)
_NOT_NAMES = re.compile(
    r"(主治|担当|放射線?|研究|女性|男性|患者|専門|内科|外科|读影|読影|依頼|当直|紹介|检查|申请|报告|审核|"
    r"住院|副|의뢰|판독|담당|여성|남성|전문|주치|응급|내과|외과|영상)$"
)


def ideographic_names(passage: Passage) -> Iterator[Span]:
    """Names before a title, and family and given name side by side."""
    lexicon = passage.lexicon
    for match in _IDEOGRAPHIC_TITLE.finditer(passage.text):
        name = match[1]
        if _NOT_NAMES.search(name):
            continue
        for length in (4, 3, 5, 2):
            part = name[-length:]
            if len(part) == length and any(lexicon.is_family(part[:n]) for n in (1, 2, 3)):
                yield Span(match.end(1) - length, match.end(1), Kind.NAME, "context")
                break
    for at, token in enumerate(passage.tokens):
        if token.is_word and is_unspaced(token.text) and token.text[0] >= "\u3040":
            yield from _full_names(passage, at)


def _full_names(passage: Passage, at: int) -> Iterator[Span]:
    """Family and given name of the lists side by side in a run of Han letters."""
    token, lexicon = passage.tokens[at], passage.lexicon
    for start in range(len(token.text) - 1):
        for split in (1, 2, 3):
            family = token.text[start : start + split]
            given = token.text[start + split : start + split + 2]
            if len(given) == 2 and lexicon.is_family(family) and lexicon.is_given(given):
                begin = token.start + start
                yield Span(begin, begin + split + 2, Kind.NAME, "context")
