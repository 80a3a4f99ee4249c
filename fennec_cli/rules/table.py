"""The rules as data. Expressions are our own, by the vendors' public formats (documentation read 2026-11).

A rule says how a text is searched for it without trying its expression everywhere: `starts` and `words` begin a match,
`stems` do in any case of letters, `inside` occurs in it; with none of them it is tried wherever it may begin. With
`starts` a run of at least 19 letters, digits, and - _ + / follows within 24 characters, and has a digit or a capital;
where a text has no such run, none of these rules is looked at.
"""

from collections.abc import Callable
from typing import Any, Literal

from fennec_cli.rules import checks
from fennec_cli.tuples import NamedTuple

Class = Literal["secrets", "pii"]
VERSION = 2  # of the rules: masked requests are other requests when it changes

_KEY = r"A-Za-z0-9\-_"
_ON = rf"(?<=[{_KEY}])[{_KEY}]"  # what goes on behind a key belongs to it
_L = "(?<![A-Za-z0-9])"
_VALUE = r"A-Za-z0-9_.=+/@!#^&*~?%$:\-"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# Between a name and its value: `name: str = "`, `\"name\": \"`, `name ::= `, `name || '` and the like.
_IS = (
    r"""["'\]\\]{0,3}(?:[ \t:]{1,3}str(?:ing)?)?[ \t]{0,4}(?:=>|:{0,3}==?|[.?+]=|\?{2}=?|\|\||:)"""
    r"""[ \t]{0,4}\\{0,2}["'`]?"""
)
_TAGS = r"""(?:>\s{0,40}|["'],\s{0,8}["']|["'][ \t]{1,4}value[ \t]?=[ \t]?["'])"""  # as _IS, with an end to look for
_NAMES = ("pass", "pwd", "secret", "token", "cred")
_NAME = "(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|cred(?:ential)?s?)[a-z0-9_.-]{0,20}+"


class Rule(NamedTuple):
    """One kind of secret or personal datum. If its expression has a group, that is what is masked.

    `check` returns how many characters of it are good. `on` is a class of characters that belong to it however many
    follow. Of two matches at one place the rule that comes first in the table counts.
    """

    name: str
    kind: Class
    pattern: str
    starts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    stems: tuple[str, ...] = ()
    inside: str = ""
    lead: str = ""  # the part of the expression before `inside`
    near: str = ""  # an expression for the place of `inside`, where that alone is too frequent or not one text
    digits: int = 0  # a text with fewer in all of it has no match
    numeric: bool = False  # begins at most 8 characters before a digit and five more digits or marks between them
    check: Callable[[str], int] | None = None
    on: str = ""
    named: bool = False  # no match where the name before the value ends as names of harmless things do

    @property
    def label(self) -> str:
        return self.name.upper().replace("-", "_")


def _around(name: str, kind: Class, lead: str, inside: str, rest: str, **more: Any) -> Rule:
    """Something with a mark in its middle."""
    return Rule(name, kind, lead + rest, inside=inside, lead=lead, **more)


def _key(name: str, pattern: str, *starts: str, on: str = _ON) -> Rule:
    """A token with a prefix of its own."""
    return Rule(name, "secrets", _L + pattern, starts, check=checks.token, on=on)


SECRETS = (
    Rule(
        "private-key",
        "secrets",
        r"-----BEGIN[ A-Z0-9_-]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[\s\\nr]{0,4}[A-Za-z-]{3,16}: [^\n\\]{1,80}){0,4}"
        r"[A-Za-z0-9+/=\s\\]{16,3400}(?:-----END[ A-Z0-9_-]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
        words=("-----BEGIN",),
        on=r"(?<=[A-Za-z0-9+/=\s\\])[A-Za-z0-9+/=\s\\]",
    ),
    _key("jwt", rf"ey[A-Za-z0-9]{{17,900}}\.ey[{_KEY}/\\]{{15,2300}}\.(?:[{_KEY}/\\]{{10,590}}={{0,2}})?", "ey"),
    _key("anthropic-key", rf"sk-ant-[{_KEY}]{{32,200}}", "sk-ant-"),
    _key("openrouter-key", "sk-or-v1-[0-9a-f]{48,80}", "sk-or-"),
    _key("openai-key", rf"sk-[{_KEY}]{{20,240}}", "sk-"),
    _key("google-key", rf"AIza[{_KEY}]{{35}}", "AIza"),
    _key("google-token", rf"ya29\.[{_KEY}]{{20,300}}", "ya29."),
    _key("google-client-secret", rf"GOCSPX-[{_KEY}]{{24,40}}", "GOCSPX-"),
    _key("aws-key-id", r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])", "A3T", "AKIA", "ASIA",
         "ABIA", "ACCA"),
    _key("aws-bedrock-key", r"ABSK[A-Za-z0-9+/]{100}", "ABSK", on=r"(?<=[A-Za-z0-9+/=])[A-Za-z0-9+/=]"),
    _key("aws-bedrock-key", r"bedrock-api-key-[A-Za-z0-9+/=]{16,2000}", "bedrock-api-key-"),
    _around("azure-client-secret", "secrets", r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.]{3}[0-9]", "Q~",
            r"Q~[A-Za-z0-9_~.-]{31,34}", near="[0-9]Q~", check=checks.varied),
    _key("github-token", r"gh[pousr]_[A-Za-z0-9]{36,255}", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    _key("github-token", r"github_pat_[A-Za-z0-9_]{60,255}", "github_pat_"),
    _key("gitlab-token", rf"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[{_KEY}]{{16,300}}(?:\.[0-9a-z]{{9}})?",
         "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-", "glffct-"),
    _key("gitlab-token", rf"GR1348941[{_KEY}]{{20}}", "GR1348941"),
    _key("gitlab-token", r"_gitlab_session=[0-9a-z]{32}", "_gitlab_session="),
    _key("bitbucket-token", rf"ATBB[A-Za-z0-9]{{28,60}}", "ATBB"),  # noqa: F541 - in line with its neighbours
    _key("atlassian-token", rf"AT(?:ATT|CTT)3[{_KEY}]{{16}}[{_KEY}=]{{44,284}}", "ATATT3", "ATCTT3"),
    _key("slack-token", r"xox[a-z]-[A-Za-z0-9-]{14,255}", "xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-",
         "xoxs-"),
    _key("slack-token", r"xoxe\.xox[bp]-[0-9]-[A-Za-z0-9]{100,200}", "xoxe.xox"),
    _key("slack-token", r"xapp-[0-9]-[A-Za-z0-9]{6,20}-[0-9]{6,20}-[A-Za-z0-9]{16,100}", "xapp-"),
    Rule("slack-webhook", "secrets", r"hooks\.slack\.com/((?:services|workflows|triggers)/[A-Za-z0-9+/]{40,80})",
         words=("hooks.slack.com/",)),
    Rule("teams-webhook", "secrets", r"\.webhook\.office\.com/(webhookb2/[A-Za-z0-9@/-]{80,260})",
         words=(".webhook.office.com/",)),
    Rule("discord-webhook", "secrets", rf"/api/webhooks/([0-9]{{15,22}}/[{_KEY}]{{60,80}})", words=("/api/webhooks/",)),
    Rule("telegram-token", "secrets", rf"(?<=[0-9]):(A[{_KEY}]{{34}})(?![{_KEY}])", (":A",), check=checks.token),
    _key("stripe-key", r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{11,255}", "sk_live_", "sk_test_", "sk_prod_", "rk_live_",
         "rk_test_", "rk_prod_"),
    _key("stripe-key", r"whsec_[A-Za-z0-9+/]{24,80}", "whsec_"),
    _key("sendgrid-key", rf"SG\.[{_KEY}]{{19,32}}\.[{_KEY}]{{30,64}}", "SG."),
    _key("twilio-key", r"SK[0-9a-fA-F]{32}(?![A-Za-z0-9])", "SK"),
    _key("mailgun-key", r"(?:pub)?key-[0-9a-f]{32}(?![A-Za-z0-9])", "key-", "pubkey-"),
    _key("npm-token", r"npm_[A-Za-z0-9]{36}", "npm_"),
    _key("pypi-token", rf"pypi-AgE[{_KEY}]{{50,1000}}", "pypi-AgE"),
    _key("rubygems-key", r"rubygems_[0-9a-f]{48}", "rubygems_"),
    _key("huggingface-token", r"(?:hf|api_org)_[A-Za-z0-9]{34,40}(?![A-Za-z0-9])", "hf_", "api_org_"),
    _key("groq-key", r"gsk_[A-Za-z0-9]{40,80}", "gsk_"),
    _key("xai-key", r"xai-[A-Za-z0-9]{60,100}", "xai-"),
    _key("perplexity-key", r"pplx-[A-Za-z0-9]{40,64}", "pplx-"),
    _key("replicate-token", r"r8_[A-Za-z0-9]{37,40}", "r8_"),
    _key("digitalocean-token", r"do[opr]_v1_[0-9a-f]{64}", "doo_v1_", "dop_v1_", "dor_v1_"),
    _key("databricks-token", r"dapi[0-9a-f]{32}(?:-[0-9])?", "dapi"),
    _key("vault-token", rf"hv[bsr]\.[{_KEY}]{{24,400}}", "hvs.", "hvb.", "hvr."),
    _key("doppler-token", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9]{19}[A-Za-z0-9_.-]{21,64}", "dp."),
    _key("shopify-token", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}", "shpat_", "shpca_", "shppa_", "shpss_"),
    _key("grafana-token", r"glc_[A-Za-z0-9+/]{32,400}={0,3}", "glc_"),
    _key("grafana-token", r"glsa_[A-Za-z0-9]{32}_[0-9A-Fa-f]{8}", "glsa_"),
    _key("grafana-token", r"eyJrIjoi[A-Za-z0-9]{64,400}={0,3}", "eyJrIjoi"),
    _key("sentry-token", rf"sntry[su]_[{_KEY}]{{9}}[{_KEY}+/=]{{51,591}}", "sntrys_", "sntryu_"),
    _key("linear-key", r"lin_api_[A-Za-z0-9]{40}", "lin_api_"),
    _key("notion-token", r"ntn_[0-9]{11}[A-Za-z0-9]{35}", "ntn_"),
    _key("figma-token", rf"figd_[{_KEY}]{{38,50}}", "figd_"),
    _key("postman-key", r"PMAK-[0-9a-fA-F]{24}-[0-9a-fA-F]{34}", "PMAK-"),
    _key("pulumi-token", r"pul-[0-9a-f]{40}", "pul-"),
    _key("newrelic-key", r"NR(?:AK|JS|II)-[A-Za-z0-9-]{19,40}", "NRAK-", "NRJS-", "NRII-"),
    Rule("age-key", "secrets", _L + r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}", ("AGE-SECRET-KEY-1",)),
    _key("onepassword-key", r"A3-[A-Z0-9]{6}-[A-Z0-9]{6}-?[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}", "A3-"),
    _key("onepassword-token", r"ops_eyJ[A-Za-z0-9+/]{250,1500}={0,3}", "ops_eyJ"),
    _key("flyio-token", rf"fo1_[{_KEY}]{{43}}(?![{_KEY}])", "fo1_"),
    _key("flyio-token", r"fm[12][ar]?_[A-Za-z0-9+/]{100,1200}={0,3}", "fm1a_", "fm1r_", "fm2_"),
    _key("planetscale-token", rf"pscale_(?:tkn|oauth|pw)_[{_KEY}]{{8}}[{_KEY}=.]{{24,56}}", "pscale_"),
    _key("square-token", rf"(?:EAAA|sq0[a-z]{{3}}-)[{_KEY}]{{22,60}}", "EAAA", "sq0"),
    _key("heroku-key", rf"HRKU-AA[{_KEY}]{{58}}", "HRKU-AA"),
    _key("alibaba-key-id", r"LTAI[A-Za-z0-9]{20}(?![A-Za-z0-9])", "LTAI"),
    _key("openshift-token", rf"sha256~[{_KEY}]{{43}}", "sha256~"),
    _key("adobe-secret", r"p8e-[0-9A-Fa-f]{32}", "p8e-"),
    _key("cloudflare-key", r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}", "v1.0-"),
    _key("clojars-token", r"CLOJARS_[0-9a-z]{60}", "CLOJARS_"),
    _key("easypost-key", r"EZ[AT]K[A-Za-z0-9]{54}", "EZAK", "EZTK"),
    _key("facebook-token", r"EAA[A-Z][A-Za-z0-9]{100,400}", "EAA"),
    _key("flutterwave-key", r"FLW(?:PUB|SEC)K_TEST-[0-9a-h]{12,32}(?:-X)?", "FLWPUBK_TEST-", "FLWSECK_TEST-"),
    _key("airtable-token", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}", "pat"),
    _key("artifactory-key", r"AKCp[A-Za-z0-9]{69}", "AKCp"),
    _key("artifactory-key", r"cmVmd[A-Za-z0-9]{59}", "cmVmd"),
    _key("duffel-token", rf"duffel_(?:test|live)_[{_KEY}=]{{43}}", "duffel_"),
    _key("dynatrace-token", r"dt0[a-z][0-9]{2}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{64}", "dt0"),
    _key("frameio-token", rf"fio-u-[{_KEY}=]{{64}}", "fio-u-"),
    _key("harness-key", rf"[ps]at\.[{_KEY}]{{22}}\.[A-Za-z0-9]{{24}}\.[A-Za-z0-9]{{20}}", "pat.", "sat."),
    _key("infracost-key", r"ico-[A-Za-z0-9]{32}(?![A-Za-z0-9.])", "ico-"),
    _key("intra42-secret", r"s-s4t2(?:ud|af)-[0-9A-Fa-f]{64}", "s-s4t2"),
    _key("octopus-key", r"API-[A-Z0-9]{26}(?![A-Za-z0-9])", "API-"),
    _key("prefect-key", r"pnu_[A-Za-z0-9]{36}", "pnu_"),
    _key("readme-key", r"rdme_[0-9a-z]{70}", "rdme_"),
    _key("scalingo-token", rf"tk-us-[{_KEY}]{{48}}", "tk-us-"),
    _key("brevo-key", r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}", "xkeysib-"),
    _key("settlemint-token", r"sm_[aps]at_[A-Za-z0-9]{16}", "sm_aat_", "sm_pat_", "sm_sat_"),
    _key("sonar-token", r"sq[apu]_[0-9A-Za-z]{40}", "sqa_", "sqp_", "squ_"),
    _key("sourcegraph-token", r"sgp_(?:(?:[0-9A-Fa-f]{16}|local)_)?[0-9A-Fa-f]{40}", "sgp_"),
    _key("typeform-token", rf"tfp_[{_KEY}.=]{{40,64}}", "tfp_"),
    _key("yandex-key", rf"AQVN[{_KEY}]{{35,38}}", "AQVN"),
    _key("shippo-token", r"shippo_(?:live|test)_[0-9A-Fa-f]{40}", "shippo_live_", "shippo_test_"),
    Rule("facebook-token", "secrets", rf"(?<=[0-9])\|([{_KEY}]{{27,40}})", ("|",), check=checks.token, on=_ON),
    _around("terraform-token", "secrets", "(?<![A-Za-z0-9])[A-Za-z0-9]{14}", ".atlasv1.",
            rf"\.atlasv1\.[{_KEY}=]{{60,70}}", on=_ON),
    Rule("url-password", "secrets", r"""://[^\s:/@"'<>\\]{0,64}:([^\s:/@"'<>\\]{3,128})@""", words=("://",),
         check=checks.credential),
    Rule("url-password", "secrets",
         r"""curl [^|;]{0,160}-(?:u|-user)[ \t=]{1,4}(["']?[^\s"'\\]{0,64}["']?:["']?[^\s"'\\]{0,128})""",
         words=("curl",), check=checks.login),
    Rule("sidekiq-secret", "secrets", rf"__CONTRIBSYS__COM{_IS}([0-9a-f]{{8}}:[0-9a-f]{{8}})",
         words=("__CONTRIBSYS__COM",)),
    Rule("authorization", "secrets", r"(?:bearer|basic)[ \t]{1,4}([A-Za-z0-9._~+/=-]{16,1024})",
         stems=("bearer", "basic"), check=checks.value, on=r"(?<=[A-Za-z0-9._~+/=-])[A-Za-z0-9._~+/=-]"),
    Rule("authorization", "secrets",
         rf"""authorization["'\\]{{0,3}}[ \t]{{0,4}}[:=,][ \t]{{0,4}}["'\\]{{0,3}}(?:[a-z-]{{3,16}} )?"""
         rf"([{_VALUE}]{{8,1024}})",
         stems=("authorization",), check=checks.value),
    Rule("password", "secrets", rf"{_NAME}{_IS}([{_VALUE}]{{8,512}})(?![{_VALUE}(\[])",
         stems=_NAMES, check=checks.secret, named=True),
    Rule("api-key", "secrets", rf"key[a-z0-9_.-]{{0,20}}+{_IS}([{_VALUE}]{{16,512}})(?![{_VALUE}(\[])", stems=("key",),
         check=checks.long_value, named=True),
    Rule("password", "secrets", rf"""{_NAME}{_TAGS}([{_VALUE}]{{8,512}})(?:["']|\s{{0,40}}</)""",
         stems=_NAMES, check=checks.secret, named=True),
    Rule("api-key", "secrets", rf"""key[a-z0-9_.-]{{0,20}}+{_TAGS}([{_VALUE}]{{16,512}})(?:["']|\s{{0,40}}</)""",
         stems=("key",), check=checks.long_value, named=True),
)  # fmt: skip

_D = "(?<![A-Za-z0-9])"
_TALK = ("phone", "call", "tel", "fax", "mobile", "desk", "sms", "messages", "answering", "registered")
_MAIL = r"A-Za-z0-9À-ɏ"
_AT_DOMAIN = rf"@(?:[{_MAIL}-]{{1,63}}\.){{1,5}}(?:[A-Za-z]{{2,24}}|xn--[a-z0-9-]{{2,40}})"

PERSONAL = (
    _around("email", "pii", rf"(?<![{_MAIL}._%+-])[{_MAIL}._%+-]{{1,64}}", "@", _AT_DOMAIN, near=_AT_DOMAIN),
    Rule("card", "pii",
         r"(?<![0-9A-Za-z.-])[0-6][0-9]{3}(?:[0-9]{8,15}|(?:[ -][0-9]{4}){3}(?:[ -]?[0-9]{1,3})?"
         "|[ -][0-9]{6}[ -][0-9]{4,5})(?![0-9])", digits=12, numeric=True, check=checks.card),
    _around("iban", "pii", rf"{_D}[A-Z]{{2}}", "", r"[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?",
            near="[0-9]{2}", digits=2, check=checks.iban),
    Rule("ssn", "pii", r"(?<![0-9A-Za-z-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9A-Za-z-])", digits=9, numeric=True,
         check=checks.ssn),
    Rule("cpf", "pii", r"(?<![0-9A-Za-z.])[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}(?![0-9A-Za-z])", digits=11,
         numeric=True, check=checks.cpf),
    Rule("insee", "pii", r"(?<![0-9A-Za-z])[1278] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"
         "(?![0-9A-Za-z])",
         digits=14, numeric=True, check=checks.insee),
    Rule("dni", "pii", rf"{_D}[0-9XYZ]-?[0-9]{{7}}-?[A-HJ-NP-TV-Z](?![0-9A-Za-z])", digits=7, numeric=True,
         check=checks.dni),
    Rule("ip", "pii", r"(?<![0-9A-Za-z.])[0-9]{1,3}(?:\.[0-9]{1,3}){3,4}(?![0-9A-Za-z])", digits=4,
         numeric=True, check=checks.ipv4),
    _around("ip", "pii", r"(?<![0-9A-Za-z:.])[0-9A-Fa-f]{0,4}", ":", r"(?::[0-9A-Fa-f]{0,4}){2,8}(?![0-9A-Za-z:])",
            near=":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]", check=checks.ipv6),
    Rule("phone", "pii", r"(?<![0-9A-Za-z+])\+[1-9](?:[ .()/-]{0,2}[0-9]){7,14}(?![0-9])", digits=8, numeric=True,
         check=checks.phone),
    Rule("phone", "pii",
         r"(?<![0-9A-Za-z.+-])(?:00[1-9]?[ .-]?|1[ .-])?(?:(?:\([0-9]{3}\)[ .-]?|[0-9]{3}[.-])"
         r"[0-9]{3}[.-][0-9]{4}(?:x[0-9]{1,6})?|[0-9]{3}-[0-9]{7}(?!-))(?![0-9A-Za-z])", digits=10, numeric=True),
    Rule("phone", "pii",
         r"(?<![0-9A-Za-z.+-])(?:07[0-9]{9}|0[1-9](?:[ .-][0-9]{2}){4}"
         r"|(?:0[1-9][0-9]{2,3} |\(0[1-9][0-9]{2,3}\) ?)[0-9]{3} ?[0-9]{3,4})(?![0-9A-Za-z])",
         digits=10, numeric=True),
    Rule("phone", "pii", rf"""(?:{"|".join(_TALK)})(?:[a-z]{{0,12}}[ \t\n:.#=,("'-]{{1,6}}){{1,3}}([0-9]{{10,11}})"""
         r"(?![0-9A-Za-z])", stems=_TALK, digits=10),
    Rule("phone", "pii", r"(?<![0-9A-Za-z.+-])([0-9]{10,11})[ -]{1,2}"
         "(?:[oO]ffice|[fF]ax|[mM]obile|[hH]ome|[wW]ork|[cC]ell)(?![a-z])", digits=10, numeric=True),
    _around("codice-fiscale", "pii", rf"{_D}[A-Z]{{6}}", "",
            r"[0-9]{2}[A-EHLMPR-T][0-9]{2}[A-Z][0-9]{3}[A-Z](?![0-9A-Za-z])", near="[0-9]{2}[A-Z][0-9]{2}", digits=7,
            check=checks.codice_fiscale),
    _around("nino", "pii", rf"{_D}[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?", "",
            r"[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D](?![0-9A-Za-z])", near="[0-9]{2} ?[0-9]{2}", digits=6),
)  # fmt: skip
