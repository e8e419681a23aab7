"""Print what time zones give, as JSON: a winter's and a summer's day, by the C library and by Python's zoneinfo.

    python -c "$(cat time_zones.py)" Asia/Tokyo :Europe/Berlin ...

Standard library only, and only features of Python 3.7.
"""

import datetime
import json
import os
import sys
import time

try:
    import zoneinfo
except ImportError:  # Python 3.7
    zoneinfo = None  # type: ignore[assignment]

#: Noon in winter and in summer, of a year whose rules will not change any more.
TIMES = (
    datetime.datetime(2020, 1, 15, 12, tzinfo=datetime.timezone.utc),
    datetime.datetime(2020, 7, 15, 12, tzinfo=datetime.timezone.utc),
)


def by_c_library(zone):
    os.environ["TZ"] = zone
    time.tzset()
    at = [time.localtime(moment.timestamp()) for moment in TIMES]
    return [[one.tm_zone, one.tm_gmtoff // 3600] for one in at]


def by_zoneinfo(zone):
    at = [moment.astimezone(zoneinfo.ZoneInfo(zone.lstrip(":"))) for moment in TIMES]
    return [[one.tzname(), one.utcoffset().total_seconds() // 3600] for one in at]


json.dump(
    {zone: [by_c_library(zone), by_zoneinfo(zone) if zoneinfo else None] for zone in sys.argv[1:]},
    sys.stdout,
)
