# SPDX-License-Identifier: Apache-2.0
"""Names in scripts that write no spaces: Han, kana, hangul."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.text.kinds import Kind, Span
from deid.text.lexicon import Lexicon
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


# Apart from what stands before: "消化器内科 佐伯先生", "한마음정형외과 서동혁 원장".
_BEFORE_SENSEI = re.compile(
    r"(?:^|(?<=[\s、。，,(（:：・]))(?:(?!担当|主治|先生|患者|紹介|依頼|当直|医|前|両|他|当)(?P<name>[々\u3400-\u9fff]{2,4}(?=先生|様|氏)"
    r"|(?![々\u3400-\u9fff]{0,3}[科部室院課棟局系])"
    r"[々\u3400-\u9fff]{1,3}[ 　][々\u3400-\u9fff]{1,3}(?=先生|様|氏|医師))"
    r"|(?P<korean>[\uac00-\ud7a3]{2,4})(?=\s(?:원장|전문의|선생|교수|과장|간호사|의사|박사|보호자)))"
)


# Of one letter; the lists of names have longer ones. The last row of each is words too.
_CHINESE = frozenset(
    "王李张张刘陈杨黄赵吴周徐孙马朱胡郭何林罗郑梁谢宋唐许韩冯邓曹彭曾萧田董袁潘蒋蔡杜叶魏苏吕丁任"
    "卢姚沈姜崔钟谭陆汪范廖贾韦邱秦侯邵孟尹薛闫雷贺倪汤殷郝龚赖庞樊兰施陶洪翟颜柯聂章鲁葛俞尤庄"
    "張劉陳楊黃趙吳孫馬鄭謝許韓馮鄧蕭蔣葉魏蘇呂盧鐘譚陸賈韋鄒龔賴龐顏聶魯俞莊"
)
_CHINESE_WORDS = frozenset("高余于夏方石金程傅戴江熊史龙万段钱易常武乔温康毛白文安左柳齐向路")
_KOREAN = frozenset(
    "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지엄채원"
    "천방공현함변염여추도소석선설마길연위표명기반왕금옥육인맹제모탁국어은편용"
)
_COMPOUND = frozenset(
    str.split(
        "欧阳 歐陽 司马 司馬 上官 诸葛 諸葛 夏侯 东方 東方 皇甫 尉迟 尉遲 公孙 公孫 慕容 令狐 "
        "司徒 端木 "
        "宇文 长孙 長孫 轩辕 南宫 南宮 独孤 拓跋 西门 西門 东郭 百里 呼延 "
        "남궁 황보 제갈 선우 독고 사공 서문 동방"
    )
)
# A family name and one or two letters, between who it is and a mark.
_SPOKEN_OF = re.compile(
    r"(?:患者|病人|病者|产妇|患儿|受检者|医师|医生|家属|联系人|氏名|姓名)[：:\s]{0,2}"
    r"([\u3400-\u9fff]{2,4})(?=[\s，,。、；;（(：:]|$)"
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
            if len(part) == length and _has_family(part, lexicon):
                yield Span(match.end(1) - length, match.end(1), Kind.NAME, "context")
                break
    yield from _set_apart(passage)
    for match in _SPOKEN_OF.finditer(passage.text):
        if _has_family(match[1], lexicon):
            yield Span(*match.span(1), Kind.NAME, "context")
    yield from _behind_labels(passage)
    for at, token in enumerate(passage.tokens):
        if token.is_word and is_unspaced(token.text) and token.text[0] >= "\u3040":
            yield from _full_names(passage, at)


# A label, and one or two pieces of a name with a space between.
_LABELLED = re.compile(
    r"(?:患者様?氏名|患者様?名|氏名|名前|フリガナ|保護者|家族|依頼医師?|読影医師?|担当医師?|"
    r"主治医|紹介医師?|技師)[：:\s　]+"
    r"(?P<name>[々〆\u3040-\u30ff\u3400-\u9fff]{1,5}(?:[ "
    r"　・](?!依頼|読影|担当|主治|紹介|技師|患者|年齢|性別|生年|検査|診断|所見|年令|撮影|住所|"
    r"電話)[々〆\u3040-\u30ff\u3400-\u9fff]{1,5})?)(?![々\u3040-\u30ff\u3400-\u9fff])"
)
_CHINESE_SAID = re.compile(
    r"(?:患者|病人|病者|受检者|产妇|患儿|家属|姓名|联系人|主任|医师|医生|技师)[：:\s]{0,2}"
    r"(?P<name>[\u3400-\u9fff]{2,4}?)(?=[于因男女在今行的入自既以来诉，,。、；;（(\s]|$)"
)
_JAPANESE_SAID = re.compile(
    r"(?:患者|患児|担当医?|主治医|医師|技師)[：:\s]{0,2}(?P<name>[々\u3400-\u9fff]{2,5}?)(?=[のはがをにもと、。，,（(\s]|$)"
)
_KOREAN_LABELLED = re.compile(
    r"(?:보호자|환자명|환자|성명|이름|의뢰의|판독의|담당의|주치의|기사|간호사|배우자|연락인)[:：\s]{1,2}(?P<name>[\uac00-\ud7a3]{2,4})(?![\uac00-\ud7a3])"
)
_THAI = re.compile(
    r"(?:นางสาว|นาย|นาง|น\.ส\.|ด\.ช\.|ด\.ญ\.|คุณ|นพ\.|พญ\.|ชื่อ)\s?(?P<name>[\u0e00-\u0e7f]+(?: "
    r"[\u0e00-\u0e7f]+)?)"
)


def _behind_labels(passage: Passage) -> Iterator[Span]:
    """Behind a label or a title of the language, however rare the name is."""
    for match in _LABELLED.finditer(passage.text):
        yield Span(*match.span("name"), Kind.NAME, "context")
    for pattern in (_CHINESE_SAID, _JAPANESE_SAID, _KOREAN_LABELLED):
        for match in pattern.finditer(passage.text):
            if _has_family(match["name"], passage.lexicon):
                yield Span(*match.span("name"), Kind.NAME, "context")
    for match in _THAI.finditer(passage.text):
        yield Span(*match.span("name"), Kind.NAME, "context")


def _set_apart(passage: Passage) -> Iterator[Span]:
    """Between a space and a title, however rare the name is."""
    for match in _BEFORE_SENSEI.finditer(passage.text):
        if match["name"] or _has_family(match["korean"], passage.lexicon):
            yield Span(*match.span(str(match.lastgroup)), Kind.NAME, "context")


def _has_family(name: str, lexicon: Lexicon) -> bool:
    """Whether it begins with a family name."""
    if name[0] in _CHINESE | _CHINESE_WORDS | _KOREAN and len(name) <= 4:
        return True
    return name[:2] in _COMPOUND or any(lexicon.is_family(name[:n]) for n in (2, 3))


def _full_names(passage: Passage, at: int) -> Iterator[Span]:
    """Family and given name of the lists side by side in a run of Han letters."""
    token, lexicon = passage.tokens[at], passage.lexicon
    for start in range(len(token.text) - 1):
        for split in (1, 2, 3):
            family = token.text[start : start + split]
            given = token.text[start + split : start + split + 2]
            listed = lexicon.is_family(family) or family in _CHINESE
            if len(given) == 2 and listed and lexicon.is_given(given):
                begin = token.start + start
                yield Span(begin, begin + split + 2, Kind.NAME, "context")
