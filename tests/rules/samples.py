"""Synthetic secrets by the published formats of their makers, and texts made of them. Nothing here was ever valid."""

import random
import string

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
HEX, ALNUM = DIGITS + "abcdef", string.ascii_letters + DIGITS
B64, URL = ALNUM + "+/", ALNUM + "-_"

# label of the rule -> formats; {alphabet:length} or {alphabet:shortest-longest} stands for so many random characters
FORMATS: dict[str, tuple[str, ...]] = {
    "anthropic-key": ("sk-ant-api03-{URL:93}AA", "sk-ant-admin01-{URL:93}AA"),
    "openrouter-key": ("sk-or-v1-{HEX:64}",),
    "openai-key": (
        "sk-{ALNUM:20}T3BlbkFJ{ALNUM:20}",
        "sk-proj-{URL:74}T3BlbkFJ{URL:74}",
        "sk-svcacct-{URL:58}T3BlbkFJ{URL:58}",
        "sk-admin-{URL:74}T3BlbkFJ{URL:74}",
        "sk-{HEX:32}",
    ),
    "google-key": ("AIza{URL:35}",),
    "google-client-secret": ("GOCSPX-{URL:28}",),
    "aws-key-id": ("AKIA{B32:16}", "ASIA{B32:16}", "ABIA{B32:16}", "ACCA{B32:16}", "A3TX{B32:16}"),
    "aws-bedrock-key": ("ABSK{B64:109-269}=",),
    "azure-client-secret": ("{ALNUM:3}8Q~{URL:34}", "{ALNUM:3}7Q~{URL:31}"),
    "github-token": (
        "ghp_{ALNUM:36}", "gho_{ALNUM:36}", "ghu_{ALNUM:36}", "ghs_{ALNUM:36}", "ghr_{ALNUM:36}",
        "github_pat_{ALNUM:22}_{ALNUM:59}",
    ),
    "gitlab-token": (
        "glpat-{URL:20}", "gldt-{URL:20}", "glrt-{URL:20}", "glcbt-{HEX:2}_{URL:20}", "glptt-{HEX:40}", "glft-{URL:20}",
        "glimt-{URL:25}", "glagent-{URL:50}", "gloas-{URL:64}", "glsoat-{URL:20}", "glffct-{URL:20}",
        "GR1348941{URL:20}", "glpat-{URL:27-40}.01.{LOW:9}",
    ),
    "bitbucket-token": ("ATBB{ALNUM:32}",),
    "atlassian-token": ("ATATT3{URL:186}", "ATCTT3{URL:186}"),
    "slack-token": (
        "xoxb-{DIGITS:12}-{DIGITS:12}-{ALNUM:24}", "xoxp-{DIGITS:12}-{DIGITS:12}-{DIGITS:12}-{HEX:32}",
        "xoxe-1-{UP:146}", "xapp-1-{UP:11}-{DIGITS:13}-{HEX:64}", "xoxe.xoxp-1-{UP:166}", "xoxr-{ALNUM:32}",
    ),
    "slack-webhook": ("hooks.slack.com/services/T{UP:8}/B{UP:8}/{ALNUM:24}",),
    "stripe-key": ("sk_live_{ALNUM:24}", "sk_test_{ALNUM:24}", "rk_live_{ALNUM:99}", "whsec_{ALNUM:32}"),
    "sendgrid-key": ("SG.{URL:22}.{URL:43}",),
    "twilio-key": ("SK{HEX:32}",),
    "mailgun-key": ("key-{HEX:32}", "pubkey-{HEX:32}"),
    "npm-token": ("npm_{ALNUM:36}",),
    "pypi-token": ("pypi-AgEIcHlwaS5vcmc{URL:50-160}",),
    "rubygems-key": ("rubygems_{HEX:48}",),
    "huggingface-token": ("hf_{MIX:34}", "api_org_{MIX:34}"),
    "groq-key": ("gsk_{ALNUM:52}",),
    "xai-key": ("xai-{ALNUM:80}",),
    "perplexity-key": ("pplx-{ALNUM:48}",),
    "replicate-token": ("r8_{ALNUM:37}",),
    "digitalocean-token": ("dop_v1_{HEX:64}", "doo_v1_{HEX:64}", "dor_v1_{HEX:64}"),
    "databricks-token": ("dapi{HEX:32}", "dapi{HEX:32}-2"),
    "vault-token": ("hvs.{URL:90-120}", "hvb.{URL:138-212}", "hvs.{ALNUM:24}"),
    "doppler-token": ("dp.pt.{ALNUM:43}",),
    "shopify-token": ("shpat_{HEX:32}", "shpca_{HEX:32}", "shppa_{HEX:32}", "shpss_{HEX:32}"),
    "grafana-token": ("glc_{B64:40-100}", "glsa_{ALNUM:32}_{HEX:8}", "eyJrIjoi{ALNUM:90}"),
    "sentry-token": ("sntryu_{HEX:64}", "sntrys_eyJpYXQiO{ALNUM:90}_{B64:43}"),
    "linear-key": ("lin_api_{ALNUM:40}",),
    "notion-token": ("ntn_{DIGITS:11}{ALNUM:35}",),
    "figma-token": ("figd_{URL:43}",),
    "postman-key": ("PMAK-{HEX:24}-{HEX:34}",),
    "pulumi-token": ("pul-{HEX:40}",),
    "newrelic-key": ("NRAK-{UP:27}", "NRJS-{HEX:19}", "NRII-{ALNUM:32}"),
    "age-key": ("AGE-SECRET-KEY-1{AGE:58}",),
    "onepassword-key": ("A3-{UP:6}-{UP:6}-{UP:5}-{UP:5}-{UP:5}-{UP:5}", "A3-{UP:6}-{UP:11}-{UP:5}-{UP:5}-{UP:5}"),
    "onepassword-token": ("ops_eyJ{B64:260}",),
    "flyio-token": ("fo1_{URL:43}", "fm2_{B64:120}"),
    "planetscale-token": ("pscale_tkn_{URL:43}", "pscale_pw_{URL:43}", "pscale_oauth_{URL:32}"),
    "square-token": ("sq0atp-{URL:22}", "EAAA{URL:60}"),
    "heroku-key": ("HRKU-AA{URL:58}",),
    "alibaba-key-id": ("LTAI{ALNUM:20}",),
    "openshift-token": ("sha256~{URL:43}",),
    "terraform-token": ("{ALNUM:14}.atlasv1.{URL:67}",),
    "adobe-secret": ("p8e-{HEX:32}",),
    "airtable-token": ("pat{ALNUM:14}.{HEX:64}",),
    "artifactory-key": ("AKCp{ALNUM:69}", "cmVmd{ALNUM:59}"),
    "brevo-key": ("xkeysib-{HEX:64}-{ALNUM:16}",),
    "clojars-token": ("CLOJARS_{LOW:60}",),
    "cloudflare-key": ("v1.0-{HEX:24}-{HEX:146}",),
    "discord-webhook": ("https://discord.com/api/webhooks/{DIGITS:18}/{URL:68}",),
    "duffel-token": ("duffel_test_{URL:43}", "duffel_live_{URL:43}"),
    "dynatrace-token": ("dt0c01.{UP:24}.{UP:64}",),
    "easypost-key": ("EZAK{ALNUM:54}", "EZTK{ALNUM:54}"),
    "facebook-token": ("EAAC{ALNUM:160}", "{DIGITS:15}|{URL:27}"),
    "flutterwave-key": ("FLWPUBK_TEST-{HEX:32}-X", "FLWSECK_TEST-{HEX:12}"),
    "frameio-token": ("fio-u-{URL:64}",),
    "harness-key": ("pat.{URL:22}.{ALNUM:24}.{ALNUM:20}",),
    "infracost-key": ("ico-{ALNUM:32}",),
    "intra42-secret": ("s-s4t2ud-{HEX:64}",),
    "octopus-key": ("API-{UP:26}",),
    "prefect-key": ("pnu_{ALNUM:36}",),
    "readme-key": ("rdme_{LOW:70}",),
    "scalingo-token": ("tk-us-{URL:48}",),
    "settlemint-token": ("sm_pat_{ALNUM:16}",),
    "shippo-token": ("shippo_live_{HEX:40}",),
    "sidekiq-secret": ("BUNDLE_GEMS__CONTRIBSYS__COM={HEX:8}:{HEX:8}",),
    "sonar-token": ("sqp_{HEX:40}",),
    "sourcegraph-token": ("sgp_{HEX:16}_{HEX:40}", "sgp_{HEX:40}"),
    "teams-webhook": ("https://a.webhook.office.com/webhookb2/{HEX:36}@{HEX:36}/IncomingWebhook/{HEX:32}/{HEX:36}",),
    "telegram-token": ("{DIGITS:10}:AA{URL:33}",),
    "typeform-token": ("tfp_{URL:59}",),
    "yandex-key": ("AQVN{URL:36}",),
    "jwt": ("eyJ{ALNUM:33}.eyJ{URL:80}.{URL:43}",),
    "private-key": (
        "-----BEGIN RSA PRIVATE KEY-----\n{B64:64}\n{B64:64}\n{B64:30}==\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{B64:70}\n{B64:70}\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{HEX:32}\n\n{B64:64}\n"
        "-----END EC PRIVATE KEY-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n{B64:64}\n{B64:64}\n"
        "-----END PGP PRIVATE KEY BLOCK-----",
        r"-----BEGIN PRIVATE KEY-----\n{B64:64}\n{B64:64}\n-----END PRIVATE KEY-----\n",
    ),
    "url-password": ("postgres://app:{ALNUM:16}@db.internal:5432/main", "https://deploy:{ALNUM:20}@git.internal/x.git",
        "curl -u app:{ALNUM:16} https://a.example", "curl -sS --user 'app:{ALNUM:16}' https://a.example"),
    "authorization": ("Authorization: Bearer {ALNUM:40}", "authorization: Basic {B64:32}==",
        "-H 'Authorization: Token {HEX:40}'", "authorization: {ALNUM:32}"),
    "password": (
        "password = '{ALNUM:16}'", 'DB_PASSWORD="{ALNUM:20}"', "client_secret: {ALNUM:32}", '"token": "{HEX:40}"',
        "SECRET_TOKEN={ALNUM:32}", "aws_secret={B64:40}", 'var appToken string = "{ALNUM:24}"',
        "$appToken .= '{ALNUM:24}'",
        "APP_TOKEN ?= {ALNUM:24}", "APP_TOKEN :::= {ALNUM:24}", "<appToken>\n    {ALNUM:24}\n</appToken>",
        "setProperty('APP_TOKEN', '{ALNUM:24}')", '<add key="AppPassword" value="{ALNUM:16}" />',
        "token: str = '{HEX:40}'", "env.TOKEN || '{ALNUM:24}'", '\\"token\\": \\"{ALNUM:24}\\"',
    ),
    "api-key": ("api_key = '{HEX:32}'", "API_KEY={ALNUM:32}", '"accessKey": "{ALNUM:40}"', "apikey: {ALNUM:24}",
        "AccountKey={B64:86}==",
    ),
}  # fmt: skip
ALPHABETS = {
    "URL": URL, "HEX": HEX, "ALNUM": ALNUM, "B64": B64, "DIGITS": DIGITS, "UP": UPPER + DIGITS, "LOW": LOWER + DIGITS,
    "MIX": string.ascii_letters, "B32": UPPER + "234567", "AGE": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
}  # fmt: skip
_WORDS = (
    "the a of to and in is that for it with as was on be at by this are from or an which not key token secret password "
    "skirt ask- sk -s gh hub ghp glp eye ey eyes -----BEGIN ----- http:// :// user@ @home @ : :: 12 1234 +49 +1 (555) "
    "4111 1.2 10.0.0 [ ] [E [EMAIL_ [EMAIL_1_ab [EMAIL_1_abcd] [CARD_2_abcd] Q~ x8Q~ AKIA AKI SK A3- key= token: pass"
)
WORDS = _WORDS.split()


def filled(form: str, rng: random.Random) -> str:
    """Return a format with random characters in its places."""
    parts = []
    for piece in form.replace("}", "{").split("{"):
        alphabet, colon, size = piece.partition(":")
        if colon and alphabet in ALPHABETS:
            low, _, high = size.partition("-")
            parts.append("".join(rng.choices(ALPHABETS[alphabet], k=rng.randint(int(low), int(high or low)))))
        else:
            parts.append(piece)
    return "".join(parts)


def secret(rng: random.Random) -> str:
    return filled(rng.choice(FORMATS[rng.choice(list(FORMATS))]), rng)


def mixture(rng: random.Random, pieces: int, personal: list[str]) -> str:
    """Return a text of words, secrets, halves of secrets and personal data, with and without anything between them."""
    parts = []
    for _ in range(pieces):
        kind = rng.random()
        if kind < 0.6:
            parts.append(rng.choice(WORDS))
        elif kind < 0.75:
            parts.append(secret(rng))
        elif kind < 0.85:
            whole = secret(rng)
            parts.append(whole[: rng.randrange(len(whole))])
        elif kind < 0.95:
            parts.append(rng.choice(personal))
        else:
            parts.append(rng.choice(["", "\n", "\u00e9\u00df", "\u4e2d\u6587", '"', "'", "=", "x" * 40, "9" * 20]))
        parts.append(rng.choice(["", " ", " ", "\n", ", ", "="]))
    return "".join(parts)


PERSONAL = [
    "jane.doe+test@mail.example.com", "o'brien@example.org", "4111 1111 1111 1111", "5555555555554444",
    "378282246310005", "DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "+49 30 901820", "+1-212-555-0187",
    "(212) 555-0187", "212-555-0187", "192.0.2.44", "2001:db8::8a2e:370:7334", "078-05-1120", "529.982.247-25",
    "12345678Z", "RSSMRA85T10A562S", "AB 12 34 56 C", "1 84 12 76 451 089 46",
]  # fmt: skip
