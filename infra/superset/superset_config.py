"""Settings of the dashboards: loopback, no telemetry, Thai first, secrets from KHLANG_HOME/secrets.json."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

HOME = Path(os.environ.get("KHLANG_HOME", ".khlang")).resolve()
BASE_PORT = int(os.environ.get("KHLANG_BASE_PORT", "18700"))
DATABASE_OFFSET, SUPERSET_OFFSET = 20, 40
SECRETS: dict[str, str] = json.loads((HOME / "secrets.json").read_text(encoding="utf-8"))

# Where it keeps itself
SQLALCHEMY_DATABASE_URI = os.environ.get("KHLANG_SUPERSET_DATABASE_URL") or (
    f"postgresql+psycopg2://superset:{quote(SECRETS['superset_db_password'], safe='')}"
    f"@127.0.0.1:{BASE_PORT + DATABASE_OFFSET}/superset"
)
SECRET_KEY = SECRETS["superset_secret_key"]
SUPERSET_WEBSERVER_ADDRESS = "127.0.0.1"
SUPERSET_WEBSERVER_PORT = BASE_PORT + SUPERSET_OFFSET
DATA_DIR = str(HOME / "superset")


def FLASK_APP_MUTATOR(app: Any) -> None:
    """A forked web worker must not speak through the database connections of its parent."""

    def forget() -> None:
        from superset.extensions import db

        with app.app_context():
            db.engine.dispose(close=False)

    os.register_at_fork(after_in_child=forget)


# A cookie knows no port: two stacks on one machine must not sign each other out.
SESSION_COOKIE_NAME = f"khlang_{BASE_PORT}_dashboards"
SESSION_COOKIE_SAMESITE = "Lax"
RATELIMIT_STORAGE_URI = "memory://"

# What it offers: reading. No SQL box for planners, no uploads, no screenshots service, no embedding.
FEATURE_FLAGS = {
    "DASHBOARD_VIRTUALIZATION": False,
    "DRILL_BY": False,
    "DRILL_TO_DETAIL": False,
    "EMBEDDABLE_CHARTS": False,
    "ESCAPE_MARKDOWN_HTML": False,
    "CSS_TEMPLATES": False,
    "DYNAMIC_PLUGINS": False,
}
SUPERSET_LOAD_EXAMPLES = False
ALLOW_FULL_CSV_EXPORT = False
ROW_LIMIT = 10_000
SHOW_STACKTRACE = False
# Figures may hang on a class name in a text; scripts, frames and styles from a text may not.
HTML_SANITIZATION = True
HTML_SANITIZATION_SCHEMA_EXTENSIONS: dict[str, Any] = {"attributes": {"*": ["className"]}}

# Nothing leaves the machine: no pixel, no map tiles, no foreign fonts. The pixel that the menu asks for was put into
# the script when the package was built (SCARF_ANALYTICS counts only there): here img-src is what stops it.
TALISMAN_CONFIG: dict[str, Any] = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
        "frame-ancestors": ["'self'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": False,
}

# Thai first: months, thousands; the menus have no Thai catalogue and stay English.
LANGUAGES = {"en": {"flag": "gb", "name": "English"}}
D3_FORMAT = {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["฿", ""]}
D3_TIME_FORMAT = {
    "dateTime": "%-d %b %Y %H:%M",
    "date": "%-d %b %Y",
    "time": "%H:%M",
    "periods": ["น.", "น."],
    "days": ["อาทิตย์", "จันทร์", "อังคาร", "พุธ", "พฤหัสบดี", "ศุกร์", "เสาร์"],
    "shortDays": ["อา.", "จ.", "อ.", "พ.", "พฤ.", "ศ.", "ส."],
    "months": [
        "มกราคม", "กุมภาพันธ์", "มีนาคม", "เมษายน", "พฤษภาคม", "มิถุนายน",
        "กรกฎาคม", "สิงหาคม", "กันยายน", "ตุลาคม", "พฤศจิกายน", "ธันวาคม",
    ],
    "shortMonths": [
        "ม.ค.", "ก.พ.", "มี.ค.", "เม.ย.", "พ.ค.", "มิ.ย.",
        "ก.ค.", "ส.ค.", "ก.ย.", "ต.ค.", "พ.ย.", "ธ.ค.",
    ],
}  # fmt: skip

# Look: calm teal on paper; a face with Thai letters on every system comes before any without.
FONTS = (
    "Inter, 'Noto Sans Thai', 'IBM Plex Sans Thai', 'Leelawadee UI', Thonburi, Sarabun, Loma, Garuda, "
    "'Noto Sans', Tahoma, Arial, sans-serif"
)
LOGO = (
    "<svg xmlns='http://www.w3.org/2000/svg' width='132' height='32' viewBox='0 0 132 32'>"
    "<g fill='%230f6f6c'><path d='M3 12 15 4l12 8v3H3z'/><rect x='5' y='17' width='4' height='9'/>"
    "<rect x='13' y='17' width='4' height='9'/><rect x='21' y='17' width='4' height='9'/>"
    "<rect x='3' y='27' width='24' height='2'/></g>"
    "<text x='36' y='23' font-family='Inter,Arial,sans-serif' font-size='20' font-weight='600' "
    "fill='%23134e4a'>Khlang</text></svg>"
)
SPINNER = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 40'><circle cx='20' cy='20' r='15' fill='none' "
    "stroke='#d5e5e1' stroke-width='4'/><path d='M20 5a15 15 0 0 1 15 15' fill='none' stroke='#0f766e' "
    "stroke-width='4' stroke-linecap='round'><animateTransform attributeName='transform' type='rotate' "
    "from='0 20 20' to='360 20 20' dur='1s' repeatCount='indefinite'/></path></svg>"
)
APP_NAME = "คลังสุขภาพ Khlang"
THEME_DEFAULT: dict[str, Any] = {
    "token": {
        "brandAppName": APP_NAME,
        "brandLogoAlt": APP_NAME,
        "brandLogoUrl": f"data:image/svg+xml,{LOGO}",
        "brandLogoHref": "/superset/welcome/",
        "brandLogoHeight": "30px",
        "brandLogoMargin": "12px 0",
        "brandSpinnerSvg": SPINNER,
        "colorPrimary": "#0f766e",
        "colorLink": "#0f766e",
        "colorInfo": "#2f7fa8",
        "colorSuccess": "#3f8f5b",
        "colorWarning": "#c98a1b",
        "colorError": "#c2504d",
        "colorTextBase": "#1f2f33",
        "colorBgLayout": "#f3f6f5",
        "borderRadius": 8,
        "fontFamily": FONTS,
        "fontUrls": [],
    },
    "algorithm": "default",
}
THEME_DARK = None
ENABLE_UI_THEME_ADMINISTRATION = False
EXTRA_SEQUENTIAL_COLOR_SCHEMES = [
    {
        "id": "khlang_teal",
        "description": "paper to deep teal",
        "label": "Khlang teal",
        "isDiverging": False,
        "colors": ["#e3f1ec", "#b9dfd3", "#86c5b6", "#4ba596", "#1f8378", "#0f5f5c"],
    }
]
EXTRA_CATEGORICAL_COLOR_SCHEMES = [
    {
        "id": "khlang",
        "description": "calm, told apart by the colour-blind",
        "label": "Khlang",
        "colors": ["#0f766e", "#c98a1b", "#2f7fa8", "#b4597a", "#5b7f3a", "#7a6bb0", "#8a9aa0"],
    }
]
