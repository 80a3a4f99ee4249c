"""The rules as data. Expressions are our own, by the vendors' public formats (documentation read 2026-11).

A rule says how a text is searched for it without trying its expression everywhere: `starts` and `words` begin a match,
`stems` do in any case of letters, `inside` occurs in it; with none of them it is tried wherever it may begin. With
`starts` a run of at least 16 letters, digits, and - _ + / follows within 24 characters, and has a digit or a capital;
where a text has no such run, none of these rules is looked at.
"""

from collections.abc import Callable
from typing import Any, Literal

from fennec_cli.rules import checks
from fennec_cli.tuples import NamedTuple

Class = Literal["secrets", "pii"]
VERSION = 1  # of the rules: masked requests are other requests when it changes

_KEY = r"A-Za-z0-9\-_"
_ON = rf"(?<=[{_KEY}])[{_KEY}]"  # what goes on behind a key belongs to it
_L = "(?<![A-Za-z0-9])"
_VALUE = r"A-Za-z0-9_.=+/@!#^&*~?%$:\-"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IS = r"""["'\]]{0,2}[ \t]{0,4}(?:=>|:=|==?|:)[ \t]{0,4}["'`]?"""  # between a name and its value


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
    numeric: bool = False  # begins at most 8 characters before a digit and five more digits or marks between them
    check: Callable[[str], int] | None = None
    on: str = ""

    @property
    def label(self) -> str:
        return self.name.upper().replace("-", "_")


def _around(name: str, kind: Class, lead: str, inside: str, rest: str, **more: Any) -> Rule:
    """Something with a mark in its middle."""
    return Rule(name, kind, lead + rest, inside=inside, lead=lead, **more)


def _key(name: str, pattern: str, *starts: str) -> Rule:
    """A token with a prefix of its own."""
    return Rule(name, "secrets", _L + pattern, starts, check=checks.token, on=_ON)


SECRETS = (
    Rule(
        "private-key",
        "secrets",
        r"-----BEGIN[ A-Z0-9_-]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[\s\\nr]{0,4}[A-Za-z-]{3,16}: [^\n\\]{1,80}){0,4}"
        r"[A-Za-z0-9+/=\s\\]{16,3400}(?:-----END[ A-Z0-9_-]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
        words=("-----BEGIN",),
        on=r"(?<=[A-Za-z0-9+/=\s\\])[A-Za-z0-9+/=\s\\]",
    ),
    _key("jwt", rf"ey[A-Za-z0-9]{{15,900}}\.ey[{_KEY}/\\]{{15,2300}}\.(?:[{_KEY}/\\]{{10,590}}={{0,2}})?", "ey"),
    _key("anthropic-key", rf"sk-ant-[{_KEY}]{{32,200}}", "sk-ant-"),
    _key("openrouter-key", "sk-or-v1-[0-9a-f]{48,80}", "sk-or-"),
    _key("openai-key", rf"sk-[{_KEY}]{{20,240}}", "sk-"),
    _key("google-key", rf"AIza[{_KEY}]{{35}}", "AIza"),
    _key("google-token", rf"ya29\.[{_KEY}]{{20,300}}", "ya29."),
    _key("google-client-secret", rf"GOCSPX-[{_KEY}]{{24,40}}", "GOCSPX-"),
    _key("aws-key-id", r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])", "A3T", "AKIA", "ASIA",
         "ABIA", "ACCA"),
    _key("aws-bedrock-key", r"ABSK[A-Za-z0-9+/]{100,280}={0,2}", "ABSK"),
    _key("aws-bedrock-key", r"bedrock-api-key-[A-Za-z0-9+/=]{16,2000}", "bedrock-api-key-"),
    _around("azure-client-secret", "secrets", r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.]{3}[0-9]", "Q~",
            r"Q~[A-Za-z0-9_~.-]{31,34}", check=checks.varied),
    _key("github-token", r"gh[pousr]_[A-Za-z0-9]{36,255}", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    _key("github-token", r"github_pat_[A-Za-z0-9_]{60,255}", "github_pat_"),
    _key("gitlab-token", rf"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[{_KEY}]{{16,300}}(?:\.[0-9a-z]{{9}})?",
         "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-", "glffct-"),
    _key("gitlab-token", rf"GR1348941[{_KEY}]{{20}}", "GR1348941"),
    _key("gitlab-token", r"_gitlab_session=[0-9a-z]{32}", "_gitlab_session="),
    _key("bitbucket-token", rf"ATBB[A-Za-z0-9]{{28,60}}", "ATBB"),  # noqa: F541 - in line with its neighbours
    _key("atlassian-token", rf"AT(?:ATT|CTT)3[{_KEY}]{{16}}[{_KEY}=]{{44,284}}", "ATATT3", "ATCTT3"),
    _key("slack-token", r"xox[a-z]-[A-Za-z0-9-]{12,255}", "xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-",
         "xoxs-"),
    _key("slack-token", r"xoxe\.xox[bp]-[0-9]-[A-Za-z0-9]{100,200}", "xoxe.xox"),
    _key("slack-token", r"xapp-[0-9]-[A-Za-z0-9]{6,20}-[0-9]{6,20}-[A-Za-z0-9]{16,100}", "xapp-"),
    Rule("slack-webhook", "secrets", r"hooks\.slack\.com/((?:services|workflows|triggers)/[A-Za-z0-9+/]{40,80})",
         words=("hooks.slack.com/",)),
    _key("stripe-key", r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,255}", "sk_live_", "sk_test_", "sk_prod_", "rk_live_",
         "rk_test_", "rk_prod_"),
    _key("stripe-key", r"whsec_[A-Za-z0-9+/]{24,80}", "whsec_"),
    _key("sendgrid-key", rf"SG\.[{_KEY}]{{16,32}}\.[{_KEY}]{{30,64}}", "SG."),
    _key("twilio-key", r"SK[0-9a-fA-F]{32}(?![A-Za-z0-9])", "SK"),
    _key("mailgun-key", r"(?:pub)?key-[0-9a-f]{32}(?![A-Za-z0-9])", "key-", "pubkey-"),
    _key("npm-token", r"npm_[A-Za-z0-9]{36}", "npm_"),
    _key("pypi-token", rf"pypi-AgE[{_KEY}]{{50,1000}}", "pypi-AgE"),
    _key("rubygems-key", r"rubygems_[0-9a-f]{48}", "rubygems_"),
    _key("huggingface-token", r"(?:hf|api_org)_[A-Za-z0-9]{34,40}", "hf_", "api_org_"),
    _key("groq-key", r"gsk_[A-Za-z0-9]{40,80}", "gsk_"),
    _key("xai-key", r"xai-[A-Za-z0-9]{60,100}", "xai-"),
    _key("perplexity-key", r"pplx-[A-Za-z0-9]{40,64}", "pplx-"),
    _key("replicate-token", r"r8_[A-Za-z0-9]{37,40}", "r8_"),
    _key("digitalocean-token", r"do[opr]_v1_[0-9a-f]{64}", "doo_v1_", "dop_v1_", "dor_v1_"),
    _key("databricks-token", r"dapi[0-9a-f]{32}(?:-[0-9])?", "dapi"),
    _key("vault-token", rf"hv[bsr]\.[{_KEY}]{{24,400}}", "hvs.", "hvb.", "hvr."),
    _key("doppler-token", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9]{16}[A-Za-z0-9_.-]{24,64}", "dp."),
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
    _key("age-key", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}", "AGE-SECRET-KEY-1"),
    _key("onepassword-key", r"A3-[A-Z0-9]{6}-[A-Z0-9]{6}-?[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}", "A3-"),
    _key("onepassword-token", r"ops_eyJ[A-Za-z0-9+/]{250,1500}={0,3}", "ops_eyJ"),
    _key("flyio-token", rf"fo1_[{_KEY}]{{43}}", "fo1_"),
    _key("flyio-token", r"fm[12][ar]?_[A-Za-z0-9+/]{100,1200}={0,3}", "fm1a_", "fm1r_", "fm2_"),
    _key("planetscale-token", rf"pscale_(?:tkn|oauth|pw)_[{_KEY}]{{8}}[{_KEY}=.]{{24,56}}", "pscale_"),
    _key("square-token", rf"(?:EAAA|sq0[a-z]{{3}}-)[{_KEY}]{{22,60}}", "EAAA", "sq0"),
    _key("heroku-key", rf"HRKU-AA[{_KEY}]{{58}}", "HRKU-AA"),
    _key("alibaba-key-id", r"LTAI[A-Za-z0-9]{20}(?![A-Za-z0-9])", "LTAI"),
    _key("openshift-token", rf"sha256~[{_KEY}]{{43}}", "sha256~"),
    _around("terraform-token", "secrets", "(?<![A-Za-z0-9])[A-Za-z0-9]{14}", ".atlasv1.",
            rf"\.atlasv1\.[{_KEY}=]{{60,70}}", on=_ON),
    Rule("url-password", "secrets", r"""://[^\s:/@"'<>\\]{0,64}:([^\s:/@"'<>\\]{3,128})@""", words=("://",),
         check=checks.credential),
    Rule("authorization", "secrets", r"(?:bearer|basic)[ \t]{1,4}([A-Za-z0-9._~+/=-]{16,1024})",
         stems=("bearer ", "basic "), check=checks.value, on=r"(?<=[A-Za-z0-9._~+/=-])[A-Za-z0-9._~+/=-]"),
    Rule("password", "secrets",
         rf"(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|credential)[a-z0-9_.-]{{0,20}}{_IS}"
         rf"([{_VALUE}]{{8,512}})(?![{_VALUE}(\[])",
         stems=("pass", "pwd", "secret", "token", "credential"), check=checks.value),
    Rule("api-key", "secrets", rf"key[a-z0-9_.-]{{0,20}}{_IS}([{_VALUE}]{{16,512}})(?![{_VALUE}(\[])", stems=("key",),
         check=checks.long_value),
)  # fmt: skip

_D = "(?<![A-Za-z0-9])"
_MAIL = r"A-Za-z0-9À-ɏ"
_AT_DOMAIN = rf"@(?:[{_MAIL}-]{{1,63}}\.){{1,5}}(?:[A-Za-z]{{2,24}}|xn--[a-z0-9-]{{2,40}})"

PERSONAL = (
    _around("email", "pii", rf"(?<![{_MAIL}._%+-])[{_MAIL}._%+-]{{1,64}}", "@", _AT_DOMAIN, near=_AT_DOMAIN),
    Rule("card", "pii",
         r"(?<![0-9A-Za-z.-])[0-6][0-9]{3}(?:[0-9]{8,15}|(?:[ -][0-9]{4}){3}(?:[ -]?[0-9]{1,3})?"
         "|[ -][0-9]{6}[ -][0-9]{4,5})(?![0-9])", numeric=True, check=checks.card),
    _around("iban", "pii", rf"{_D}[A-Z]{{2}}", "", r"[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?",
            near="[0-9]{2}", check=checks.iban),
    Rule("ssn", "pii", r"(?<![0-9A-Za-z-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9A-Za-z-])", numeric=True, check=checks.ssn),
    Rule("cpf", "pii", r"(?<![0-9A-Za-z.])[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}(?![0-9A-Za-z])", numeric=True,
         check=checks.cpf),
    Rule("insee", "pii", r"(?<![0-9A-Za-z])[1278] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"
         "(?![0-9A-Za-z])",
         numeric=True, check=checks.insee),
    Rule("dni", "pii", rf"{_D}[0-9XYZ]-?[0-9]{{7}}-?[A-HJ-NP-TV-Z](?![0-9A-Za-z])", numeric=True, check=checks.dni),
    Rule("ip", "pii", r"(?<![0-9A-Za-z.])[0-9]{1,3}(?:\.[0-9]{1,3}){3,4}(?![0-9A-Za-z])", numeric=True,
         check=checks.ipv4),
    _around("ip", "pii", r"(?<![0-9A-Za-z:.])[0-9A-Fa-f]{0,4}", ":", r"(?::[0-9A-Fa-f]{0,4}){2,8}(?![0-9A-Za-z:])",
            near=":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]", check=checks.ipv6),
    Rule("phone", "pii", r"(?<![0-9A-Za-z+])\+[1-9](?:[ .()/-]{0,2}[0-9]){7,14}(?![0-9])", numeric=True,
         check=checks.phone),
    Rule("phone", "pii",
         r"(?<![0-9A-Za-z.+-])(?:00[1-9]?[ .-]?|1[ .-])?(?:\([2-9][0-9]{2}\)[ .-]?|[2-9][0-9]{2}[.-])[2-9][0-9]{2}"
         r"[.-][0-9]{4}(?:x[0-9]{1,6})?(?![0-9A-Za-z])", numeric=True),
    _around("codice-fiscale", "pii", rf"{_D}[A-Z]{{6}}", "",
            r"[0-9]{2}[A-EHLMPR-T][0-9]{2}[A-Z][0-9]{3}[A-Z](?![0-9A-Za-z])", near="[0-9]{2}[A-Z][0-9]{2}",
            check=checks.codice_fiscale),
    _around("nino", "pii", rf"{_D}[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?", "",
            r"[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D](?![0-9A-Za-z])", near="[0-9]{2} ?[0-9]{2}"),
)  # fmt: skip
