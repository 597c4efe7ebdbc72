"""Flat settings, read from the environment with types (`epmm/env.py`).

What an administrator changes at run time is a row instead: `epmm/settings_store.py`.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ

from epmm import bootstrap, env, version

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = bootstrap.data_dir()
DEBUG = env.flag("EPMM_DEBUG", default=False)

# --- Who we are -------------------------------------------------------------------------------------------------------
_stored_url = DATA_DIR / "public_url"  # written by `manage.py up`
PUBLIC_URL = env.https_url(
    "EPMM_PUBLIC_URL", default=_stored_url.read_text().strip() if _stored_url.is_file() else "https://localhost:8443"
)
PUBLIC_HOST = urlsplit(PUBLIC_URL).hostname or ""
ALLOWED_HOSTS = [PUBLIC_HOST, "localhost", "127.0.0.1", "[::1]"]
TRUSTED_PROXIES = env.networks("EPMM_TRUSTED_PROXIES", default=[], words=("unix",))

# --- Secrets ----------------------------------------------------------------------------------------------------------
SECRET_KEY = env.secret("EPMM_SECRET_KEY", fallback=DATA_DIR / "secrets" / "secret_key")
FIELD_KEYS = env.secret("EPMM_FIELD_KEYS", fallback=DATA_DIR / "secrets" / "field_keys")

# --- Database: SQLite unless EPMM_DATABASE_URL names a PostgreSQL -----------------------------------------------------
_sqlite = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": DATA_DIR / "epmm.sqlite3",
    "OPTIONS": {
        # a transaction that may write takes the lock at once: with Django's default, half of the concurrent ones fail
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-20000;",
    },
}
_database_url = env.secret("EPMM_DATABASE_URL") if env.given("EPMM_DATABASE_URL") else ""
_database: dict[str, Any] = environ.Env.db_url_config(_database_url) if _database_url else _sqlite
# each thread keeps its own: SQLite reads its whole schema when it is opened, which takes longer than most requests
_database["CONN_MAX_AGE"] = 600
DATABASES = {"default": _database}
_pooler = env.choice("EPMM_DATABASE_POOLER", default="none", values=("none", "transaction"))
if _database_url:
    # a server that vanished is noticed in seconds
    _database["CONN_HEALTH_CHECKS"] = True
    for _name, _value in {"connect_timeout": 5, "tcp_user_timeout": 10_000}.items():
        _database.setdefault("OPTIONS", {}).setdefault(_name, _value)
    if _pooler == "transaction":
        # each transaction may meet another server connection: nothing may be left behind in one of them
        _database["DISABLE_SERVER_SIDE_CURSORS"] = True
        _database["OPTIONS"]["prepare_threshold"] = None
    else:  # a process that stands still within a transaction, or is gone, would keep devices out that it has locked
        _limits = {
            "idle_in_transaction_session_timeout": "1min",
            "tcp_keepalives_idle": 15,  # seconds
            "tcp_keepalives_interval": 5,
            "tcp_keepalives_count": 3,
            "tcp_user_timeout": "30s",
        }
        _given = " ".join(f"-c {_name}={_value}" for _name, _value in _limits.items())
        _database["OPTIONS"].setdefault("options", _given)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Applications -----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "epmm",
    "users",
    "devices",
    "enrollment",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_otp",
    "django_otp.plugins.otp_totp",  # these two for a migration alone: users.Authenticator took their place
    "django_otp.plugins.otp_static",
    "drf_spectacular",
    "drf_spectacular_sidecar",  # Swagger's files, served by ourselves
]
AUTH_USER_MODEL = "users.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("user_id", "first_name", "last_name", "full_name", "email")},
    },
    {"NAME": "users.password_policy.PasswordPolicy"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Nothing here asks the database for a session, or a form for its token, on the way of a device: sessions are read when
# somebody asks for them, and its views carry proofs of their own and are exempt from CSRF.
MIDDLEWARE = [
    "epmm.middleware.accounted",
    "epmm.api.paths.normalized",
    "epmm.middleware.content_length",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "epmm.middleware.recognized",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "users.self_guard.SelfGuard",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "users.middleware.PortalGuard",
]
ROOT_URLCONF = "epmm.urls"
WSGI_APPLICATION = "epmm.wsgi.application"
ASGI_APPLICATION = "epmm.asgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.i18n",
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "epmm.portal.navigation.context",
            ],
            "libraries": {"lucide": "epmm.templatetags.icons"},
        },
    }
]

# --- The API ----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["users.api.authentication.Basic", "users.api.authentication.Bearer"],
    "DEFAULT_PERMISSION_CLASSES": ["users.api.permissions.Permitted"],
    "DEFAULT_THROTTLE_CLASSES": ["users.api.throttling.Calls"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "epmm.api.negotiation.FirstOffered",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "epmm.api.errors.handle",
    "URL_FORMAT_OVERRIDE": None,
    "UNICODE_JSON": True,
    "DEFAULT_SCHEMA_CLASS": "users.api.document.Schema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "EPMM",
    "DESCRIPTION": "The API of this server: its own under `/api/v2/x/`, and EPMM's V2 beside it.",
    "VERSION": version.NUMBER,
    "OAS_VERSION": "3.1.1",
    "COMPONENT_SPLIT_REQUEST": True,
    "DISABLE_DOCSTRING_DESCRIPTIONS": True,  # they speak to whoever reads the source
    "POSTPROCESSING_HOOKS": ["users.api.document.finished"],
    "ENABLE_DJANGO_DEPLOY_CHECK": False,  # a test makes the document, and takes no warning
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- What a browser may do --------------------------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "no-referrer"  # addresses of the sign-in hold its state
SECURE_HSTS_SECONDS = env.integer("EPMM_HSTS_SECONDS", default=0)
SECURE_SSL_REDIRECT = False  # no door listens without TLS
SESSION_ENGINE = "users.sessions"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-epmm-session", "__Host-epmm-csrf"
PERSON_COOKIE_NAME, PERSON_COOKIE_SECURE = "__Host-epmm-person", True  # of the user portal, whose sessions are its own
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"  # a mailed address opens where its reader is signed in
CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- Language, time, files --------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "epmm.formats"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

# --- Work in the background -------------------------------------------------------------------------------------------
BROKER_URL = env.text("EPMM_BROKER_URL", default="memory://localhost/")
DATA_UPLOAD_MAX_MEMORY_SIZE = 262_144  # the front door; the device door has a limit of its own

# --- Devices ----------------------------------------------------------------------------------------------------------
EXTRA_DEVICE_CA = env.path("EPMM_EXTRA_DEVICE_CA")
APNS_HOST, APNS_PORT = env.address("EPMM_APNS_SERVER", default="api.push.apple.com")
APNS_CA = env.path("EPMM_APNS_CA")  # of a laboratory's stand-in
TLS_DIR = DATA_DIR / "tls"
# The certificate that signs enrollment profiles; `up` gives that of its TLS port.  Without one, our own CA signs.
_stored_pair = DATA_DIR / "tls_files"  # written by `manage.py up`
_pair = [Path(line) for line in _stored_pair.read_text().splitlines()] if _stored_pair.is_file() else [None, None]
SIGNING_CERTIFICATE = env.path("EPMM_SIGNING_CERTIFICATE", default=_pair[0])
SIGNING_KEY = env.path("EPMM_SIGNING_KEY", default=_pair[-1])

# --- Servers that administrators name: identity providers -------------------------------------------------------------
OUTBOUND_NETWORKS = env.networks("EPMM_OUTBOUND_NETWORKS", default=[])  # besides public addresses
OUTBOUND_CA = env.path("EPMM_OUTBOUND_CA")  # beside the system's roots

# --- Watching it ------------------------------------------------------------------------------------------------------
METRICS_ALLOW = env.networks("EPMM_METRICS_ALLOW", default=["127.0.0.0/8", "::1"])
# The chain that the TLS port or the proxy serves, without its key, to tell when it ends; `up` gives that of its port.
TLS_CERTIFICATE = env.path("EPMM_TLS_CERTIFICATE", default=SIGNING_CERTIFICATE)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "epmm.logging.LineFormatter"},
        "json": {"()": "epmm.logging.JsonFormatter"},
    },
    "filters": {"without_address": {"()": "epmm.logging.AddressFilter"}},
    "handlers": {
        "stderr": {
            "class": "epmm.logging.BufferedHandler",
            "formatter": env.choice("EPMM_LOG_FORMAT", default="text", values=("text", "json")),
        }
    },
    "root": {"handlers": ["stderr"], "level": env.text("EPMM_LOG_LEVEL", default="INFO").upper()},
    "loggers": {
        # these would log addresses and headers, which hold the state and the token of sign-ins
        "httpx2": {"level": "WARNING"},
        "httpcore2": {"level": "WARNING"},
        "hpack": {"level": "WARNING"},  # and this one the tokens of pushes
        "django.request": {"level": "ERROR", "filters": ["without_address"]},
        "celery": {"level": "WARNING"},  # a line for each job that comes, and one when it is done
    },
}
SILENCED_SYSTEM_CHECKS = [
    "security.W004",  # HSTS is EPMM_HSTS_SECONDS: a development CA must not be pinned for a year
    "security.W008",  # no redirect to TLS: no door listens without it
]
