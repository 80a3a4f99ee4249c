"""What each check takes, and the nearest thing that it does not: values are made up or from public documentation."""

from collections.abc import Callable

import pytest

from fennec_cli.rules import checks

GOOD: list[tuple[Callable[[str], int], str]] = [
    (checks.card, "4111111111111111"),
    (checks.card, "3782 822463 10005"),
    (checks.card, "5555-5555-5555-4444"),
    (checks.card, "6011000990139424"),
    (checks.card, "060400001230"),  # 12 digits, an old one of Maestro's
    (checks.card, "180000000000002"),  # one of JCB's
    (checks.card, "4000000000000000006"),  # 19 digits
    (checks.ipv4, "192.0.2.1"),
    (checks.ipv4, "254.255.255.255"),
    (checks.ipv6, "2001:db8:0:0:0:0:0:1"),
    (checks.ipv6, "2001:db8::1"),
    (checks.ipv6, "fe80::1ff:fe23:4567:890a"),
    (checks.phone, "+1 202-555-0143"),
    (checks.phone, "+12345678"),
    (checks.phone, "+123456789012345"),
    (checks.phone, "202-555-0143x12345678"),  # an extension does not count
    (checks.ssn, "078-05-1120"),
    (checks.ssn, "665-01-0001"),
    (checks.dni, "12345678Z"),
    (checks.dni, "X1234567L"),
    (checks.dni, "Y1234567X"),
    (checks.dni, "Z1234567R"),
    (checks.cpf, "529.982.247-25"),
    (checks.codice_fiscale, "RSSMRA85T10A562S"),
    (checks.insee, "255081416802538"),
    (checks.insee, "2 55 08 14 168 025 38"),
    (checks.value, "hunter2Abcdef9"),
    (checks.value, "aB3dE5gH7jK9"),
    (checks.secret, "123456789012345678901234"),
    (checks.secret, "aB3dE5gH7jK9"),
    (checks.login, "user:hunter2Abcdef9"),
    (checks.login, "'user:hunter2Abcdef9'"),
    (checks.login, '"user:hunter2Abcdef9"'),
    (checks.login, "hunter2Abcdef9:"),
    (checks.login, ":hunter2Abcdef9"),
    (checks.long_value, "aB3dE5gH7jK9mN1p"),
    (checks.credential, "hunter2"),
    (checks.credential, "correcthorse"),
    (checks.varied, "ghp_abcdefghijklmnopqrst"),
    (checks.token, "ghp_abcdefghijklmnopqrst1"),
    (checks.token, "ghp_abcdefghijklmnopqrsT"),
]
BAD: list[tuple[Callable[[str], int], str]] = [
    (checks.card, "4111111111111112"),
    (checks.card, "1600000000123457"),  # nobody's begins so
    (checks.card, "0000000000000000"),
    (checks.card, "5555555555555555"),
    (checks.card, "41111111112"),  # 11 digits
    (checks.card, "40000000000000000002"),  # 20 digits
    (checks.ipv4, "192.0.2.256"),
    (checks.ipv4, "192.0.02.1"),
    (checks.ipv4, "1.2.3.4.5"),
    (checks.ipv4, "0.1.2.3"),
    (checks.ipv4, "127.0.0.1"),
    (checks.ipv4, "255.255.0.0"),
    (checks.ipv6, "12:30:45"),
    (checks.ipv6, "2001::db8::1"),
    (checks.ipv6, "1:2:3:4:5:6:7::8:9"),
    (checks.ipv6, "a::b"),  # too short to be meant
    (checks.ipv6, "2001:::1"),
    (checks.ipv6, ":2001::1"),
    (checks.ipv6, "2001::1:"),
    (checks.ipv6, "2001:db8:0:0:0:0:0:1:2"),
    (checks.phone, "+1234567"),
    (checks.phone, "+1234567890123456"),
    (checks.ssn, "000-12-3456"),
    (checks.ssn, "666-12-3456"),
    (checks.ssn, "900-12-3456"),
    (checks.ssn, "123-00-3456"),
    (checks.ssn, "123-45-0000"),
    (checks.dni, "12345678A"),
    (checks.dni, "X1234567A"),
    (checks.cpf, "529.982.247-24"),
    (checks.cpf, "529.982.247-15"),
    (checks.cpf, "111.111.111-11"),
    (checks.codice_fiscale, "RSSMRA85T10A562T"),
    (checks.insee, "255081416802539"),
    (checks.value, "onlyletters"),
    (checks.value, "1234567890"),
    (checks.value, "your_key_1"),
    (checks.value, "changeme123"),
    (checks.value, "some.module.name1"),
    (checks.value, "variable_name_1"),
    (checks.value, "UPPER_NAME_12"),
    (checks.value, "short1"),
    (checks.value, "aaaabbbb1"),
    (checks.value, "aB3${dE5}gH7jK9"),
    (checks.value, "https://aB3dE5gH7jK9"),
    (checks.secret, "12345678901234567890123"),  # 23 digits
    (checks.secret, "123451234512345123451234"),  # of five kinds only
    (checks.login, "user:password"),
    (checks.login, "hunter2Abcdef9:nothing"),
    (checks.long_value, "aaaaabbbbb12"),
    (checks.credential, "password"),
    (checks.credential, "PASSWORD"),
    (checks.credential, "pwd"),
    (checks.credential, "SECRET"),
    (checks.credential, "$PASSWORD"),
    (checks.credential, "%s1234"),
    (checks.credential, "{password}"),
    (checks.credential, "[password]"),
    (checks.credential, "*****"),
    (checks.credential, "myexample1"),
    (checks.credential, "XXXX1234"),
    (checks.varied, "ghp_aaaaaaaaaaaaaaaaaaaa"),
    (checks.varied, "ghp_abcdefghXXXXijklmnop"),
    (checks.token, "ghp_abcdefghijklmnopqrst"),  # neither a digit nor a capital
    (checks.token, "ghp_aB1.cD2.eF3"),  # no run of 19
    (checks.token, "ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA1"),
]


def name_of(case: object) -> str:
    return getattr(case, "__name__", str(case))


@pytest.mark.parametrize(("check", "text"), GOOD, ids=name_of)
def test_taken_whole(check: Callable[[str], int], text: str) -> None:
    assert check(text) == len(text)


@pytest.mark.parametrize(("check", "text"), BAD, ids=name_of)
def test_not_taken(check: Callable[[str], int], text: str) -> None:
    assert check(text) == 0


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("DE89370400440532013000", 22),
        ("DE89 3704 0044 0532 0130 00", 27),
        ("DE89370400440532013000 and", 22),
        ("NO9386011117947", 15),
        ("MT84MALT011000012345MTLCAST001S", 31),
        ("DE89370400440532013001", 0),
        ("DE8937040044053201300", 0),  # one too few
        ("ZZ89370400440532013000", 0),  # no such country
    ],
)
def test_an_iban_ends_where_its_country_says(text: str, size: int) -> None:
    assert checks.iban(text) == size


@pytest.mark.parametrize(("text", "bits"), [("aaaa", 0.0), ("abab", 1.0), ("abcd", 2.0), ("aabc", 1.5)])
def test_entropy(text: str, bits: float) -> None:
    assert checks.entropy(text) == pytest.approx(bits)


@pytest.mark.parametrize("text", ["credentialsId = ", "key_length: ", "token_url=", "KEY_FILE ", "secret-name"])
def test_harmless(text: str) -> None:
    assert checks.harmless(text)


@pytest.mark.parametrize("text", ["credentials = ", "id_key: ", "'key_id' = ", ""])
def test_not_harmless(text: str) -> None:
    assert not checks.harmless(text)
