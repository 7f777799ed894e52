#!/usr/bin/env python3
"""Writes written.tsv: lines in many forms, in many zones, around changes of the clocks, with the instants that they stand
for, by Python's zoneinfo and datetime alone.

usage: generate.py > written.tsv

Columns: the configured zone; the configured year, or -; nanoseconds since 1970; `sure`, or `doubt` where the line can be
read in more than one way (then the instant is the reading that is chosen without a line before); the line.
"""
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

ZONES = ["UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/St_Johns",
         "America/Sao_Paulo", "Asia/Kolkata", "Asia/Tokyo", "Asia/Shanghai", "Asia/Kathmandu", "Australia/Lord_Howe",
         "Australia/Sydney", "Pacific/Auckland"]
EN = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
DE = "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez".split()
DE_DAYS = "Mo Di Mi Do Fr Sa So".split()
FR = "janv. févr. mars avril mai juin juil. août sept. oct. nov. déc.".split()
FR_DAYS = "lun. mar. mer. jeu. ven. sam. dim.".split()
ES = "ene feb mar abr may jun jul ago sep oct nov dic".split()
IT = "gen feb mar apr mag giu lug ago set ott nov dic".split()
PT = "jan fev mar abr mai jun jul ago set out nov dez".split()
PL = "sty lut mar kwi maj cze lip sie wrz paź lis gru".split()
CS = "led úno bře dub kvě čen čec srp zář říj lis pro".split()
RU = "янв фев мар апр мая июн июл авг сен окт ноя дек".split()
UK = "січ лют бер кві тра чер лип сер вер жов лис гру".split()
TR = "Oca Şub Mar Nis May Haz Tem Ağu Eyl Eki Kas Ara".split()
SV = "jan feb mar apr maj jun jul aug sep okt nov dec".split()
FI = "tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu".split()

# Each form: what it leaves open (z: the zone, y: the year), its finest unit in digits, and how it is written.
# `t` is the local time, `o` its offset, `a` the zone's abbreviation, `n` nanoseconds since 1970.
def iso(o, colon=":"):
    minutes = int(o.total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{colon}{abs(minutes) % 60:02}"

def hours(o):
    text = iso(o, "")
    return text[:3] if text.endswith("00") else text

def spaced(day):
    return f"{day:2}"

FORMS = [
    ("", 9, lambda t, o, a, n: f"{t:%Y-%m-%dT%H:%M:%S}.{n % 10**9:09}{iso(o)} hv kernel: x"),
    ("", 0, lambda t, o, a, n: f"{t:%Y-%m-%d %H:%M:%S} {iso(o, '')} x"),
    ("", 3, lambda t, o, a, n: f"{t:%Y-%m-%d %H:%M:%S}.{n // 10**6 % 1000:03}{hours(o)} LOG: x"),
    ("", 0, lambda t, o, a, n: f"{t:%Y-%m-%d %H:%M:%S} {hours(o)} [7484-2] LOG: x"),
    ("", 0, lambda t, o, a, n: f"{t:%Y-%m-%d %H:%M:%S} {a} [1] LOG: x"),
    ("z", 3, lambda t, o, a, n: f"{t:%Y-%m-%d %H:%M:%S},{n // 10**6 % 1000:03} - root - INFO - x"),
    ("z", 0, lambda t, o, a, n: f"{t:%Y/%m/%d %H:%M:%S} [error] 12#12: *1 x"),
    ("z", 6, lambda t, o, a, n: f"{t:%Y/%m/%d %H:%M:%S}.{n // 1000 % 10**6:06} main.go:3: x"),
    ("z", 0, lambda t, o, a, n: f"[{t:%Y-%m-%d %H:%M:%S}] [   12.345678] x"),
    ("", 0, lambda t, o, a, n: f"[{t:%Y/%m/%d %H:%M:%S} {a}] kernel: x"),
    ("z", 3, lambda t, o, a, n: f"{t:%Y-%m-%d %H:%M:%S}.{n // 10**6 % 1000:03} 7 INFO nova.compute.manager [-] x"),
    ("z", 3, lambda t, o, a, n: f"INFO {t:%Y-%m-%d %H:%M:%S},{n // 10**6 % 1000:03} x"),
    ("z", 3, lambda t, o, a, n: f"[WARN ] [{t:%Y-%m-%dT%H:%M:%S},{n // 10**6 % 1000:03}] x"),
    ("", 0, lambda t, o, a, n: f"ERROR    {t:%Y-%m-%dT%H:%M:%S}{iso(o)} x"),
    ("z", 6, lambda t, o, a, n: f"E, [{t:%Y-%m-%dT%H:%M:%S}.{n // 1000 % 10**6:06} #7] ERROR -- : x"),
    ("", 0, lambda t, o, a, n: f"{DAYS[t.weekday()]} {t:%Y-%m-%d %H:%M:%S} {a} hv kernel: x"),
    ("", 6, lambda t, o, a, n: f"<4>1 {t:%Y-%m-%dT%H:%M:%S}.{n // 1000 % 10**6:06}{iso(o)} hv kernel - - - x"),
    ("zy", 0, lambda t, o, a, n: f"<13>{EN[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv sshd[1]: x"),
    ("zy", 0, lambda t, o, a, n: f"{EN[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv sshd[1]: x"),
    ("z", 0, lambda t, o, a, n: f"{EN[t.month - 1]} {spaced(t.day)} {t:%Y %H:%M:%S} hv x"),
    ("z", 3, lambda t, o, a, n: f"*{EN[t.month - 1]} {spaced(t.day)} {t:%Y %H:%M:%S}.{n // 10**6 % 1000:03}: %SYS-5: x"),
    ("", 0, lambda t, o, a, n: f"{DAYS[t.weekday()]} {EN[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} {a} {t:%Y} x"),
    ("", 0, lambda t, o, a, n: f"{DAYS[t.weekday()]} {EN[t.month - 1]} {spaced(t.day)} {t:%I:%M:%S %p} {a} {t:%Y} x"),
    ("", 0, lambda t, o, a, n: f"{DAYS[t.weekday()]} {t.day:02} {EN[t.month - 1]} {t:%Y %I:%M:%S %p} {a} x"),
    ("", 0, lambda t, o, a, n: f"{DAYS[t.weekday()]}, {t.day:02} {EN[t.month - 1]} {t:%Y %H:%M:%S} {iso(o, '')} x"),
    ("z", 0, lambda t, o, a, n: f"[{DAYS[t.weekday()]} {EN[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S %Y}] x"),
    ("z", 6, lambda t, o, a, n: f"[{DAYS[t.weekday()]} {EN[t.month - 1]} {t.day:02} {t:%H:%M:%S}.{n // 1000 % 10**6:06} {t:%Y}] [core:error] x"),
    ("z", 0, lambda t, o, a, n: f"{EN[t.month - 1]} {t.day}, {t:%Y} {t.hour % 12 or 12}:{t:%M:%S %p} org.example x"),
    ("z", 3, lambda t, o, a, n: f"{t.day:02}-{EN[t.month - 1]}-{t:%Y %H:%M:%S}.{n // 10**6 % 1000:03} SEVERE [main] x"),
    ("z", 3, lambda t, o, a, n: f"1234:M {t.day:02} {EN[t.month - 1]} {t:%Y %H:%M:%S}.{n // 10**6 % 1000:03} * x"),
    ("zy", 3, lambda t, o, a, n: f"[1234] {t.day:02} {EN[t.month - 1]} {t:%H:%M:%S}.{n // 10**6 % 1000:03} * x"),
    ("zy", 0, lambda t, o, a, n: f"{t.day:2} {EN[t.month - 1]} {t:%H:%M:%S} ntpd[12]: x".lstrip()),
    ("", 0, lambda t, o, a, n: f'203.0.113.7 - - [{t.day:02}/{EN[t.month - 1]}/{t:%Y:%H:%M:%S} {iso(o, "")}] "GET / HTTP/1.1" 200'),
    ("zy", 6, lambda t, o, a, n: f"I{t:%m%d %H:%M:%S}.{n // 1000 % 10**6:06}    1 x.go:3] x"),
    ("z", 6, lambda t, o, a, n: f"W{t:%Y%m%d %H:%M:%S}.{n // 1000 % 10**6:06}    1 x.cc:3] x"),
    ("zy", 0, lambda t, o, a, n: f"{EN[t.month - 1].lower()} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("zy", 0, lambda t, o, a, n: f"{DE[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("", 0, lambda t, o, a, n: f"{DE_DAYS[t.weekday()]} {t.day}. {DE[t.month - 1]} {t:%H:%M:%S} {a} {t:%Y} x"),
    ("zy", 0, lambda t, o, a, n: f"{FR[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("", 0, lambda t, o, a, n: f"{FR_DAYS[t.weekday()]} {t.day:02} {FR[t.month - 1]} {t:%Y %H:%M:%S} {a} x"),
    ("zy", 0, lambda t, o, a, n: f"{ES[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("zy", 0, lambda t, o, a, n: f"{IT[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("zy", 0, lambda t, o, a, n: f"{PT[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("zy", 0, lambda t, o, a, n: f"{PL[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("", 0, lambda t, o, a, n: f"sob, {t.day} {PL[t.month - 1]} {t:%Y, %H:%M:%S} {a} x"),
    ("zy", 0, lambda t, o, a, n: f"{CS[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("zy", 0, lambda t, o, a, n: f"{RU[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("zy", 0, lambda t, o, a, n: f"{UK[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("zy", 0, lambda t, o, a, n: f"{TR[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("zy", 0, lambda t, o, a, n: f"{SV[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("zy", 0, lambda t, o, a, n: f"{FI[t.month - 1]} {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("zy", 0, lambda t, o, a, n: f"{t.month}月 {spaced(t.day)} {t:%H:%M:%S} hv x: x"),
    ("", 0, lambda t, o, a, n: f"{t.year}年 {t.month:02}月 {t.day:02}日 土曜日 {t:%H:%M:%S} {a}"),
    ("", 0, lambda t, o, a, n: f"{t.year}. {t.month:02}. {t.day:02}. (토) {t:%H:%M:%S} {a}"),
    ("u", 9, lambda t, o, a, n: f"kern:     err: [{utc(n):%Y-%m-%dT%H:%M:%S}.{n % 10**9:09}Z]: x"),
    ("u", 9, lambda t, o, a, n: f"{utc(n):%Y-%m-%dT%H:%M:%S}.{n % 10**9:09}Z stdout F [   95.1] x"),
    ("u", 9, lambda t, o, a, n: f"web-7d9c nginx {utc(n):%Y-%m-%dT%H:%M:%S}.{n % 10**9:09}Z x"),
    ("", 3, lambda t, o, a, n: f"web-1  | {t:%Y-%m-%dT%H:%M:%S}.{n // 10**6 % 1000:03}{iso(o)} x"),
    ("u", 6, lambda t, o, a, n: f'{{"log":"x\\n","stream":"stdout","time":"{utc(n):%Y-%m-%dT%H:%M:%S}.{n // 1000 % 10**6:06}Z"}}'),
    ("", 3, lambda t, o, a, n: f'{{"@timestamp":"{t:%Y-%m-%dT%H:%M:%S}.{n // 10**6 % 1000:03}{iso(o)}","message":"x"}}'),
    ("u", 6, lambda t, o, a, n: f'{{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"{n // 1000}","MESSAGE":"x"}}'),
    ("u", 6, lambda t, o, a, n: f'{{"level":"info","ts":{n // 10**9}.{n // 1000 % 10**6:06},"msg":"zap"}}'),
    ("u", 3, lambda t, o, a, n: f'{{"level":30,"time":{n // 10**6},"msg":"pino"}}'),
    ("u", 9, lambda t, o, a, n: f'{{"timestamp":{n},"msg":"x"}}'),
    ("", 9, lambda t, o, a, n: f'time="{t:%Y-%m-%dT%H:%M:%S}.{n % 10**9:09}{iso(o)}" level=debug msg="x"'),
    ("u", 3, lambda t, o, a, n: f"level=info ts={utc(n):%Y-%m-%dT%H:%M:%S}.{n // 10**6 % 1000:03}Z caller=main.go:1 msg=x"),
    ("u", 3, lambda t, o, a, n: f"type=AVC msg=audit({n // 10**9}.{n // 10**6 % 1000:03}:456): avc:  denied"),
    ("u", 3, lambda t, o, a, n: f"{n // 10**9}.{n // 10**6 % 1000:03}    12 10.0.0.1 TCP_MISS/200"),
    ("u", 3, lambda t, o, a, n: f"{n // 10**6} x"),
    ("u", 0, lambda t, o, a, n: f"[{n // 10**9}] SERVICE ALERT: x"),
    ("u", 3, lambda t, o, a, n: f"(XEN) [{utc(n):%Y-%m-%d %H:%M:%S}.{n // 10**6 % 1000:03}] Domain 3 crashed"),
    ("u", 3, lambda t, o, a, n: f"[{utc(n):%Y%m%dT%H:%M:%S}.{n // 10**6 % 1000:03}Z|debug|xenopsd] x"),
    ("u", 3, lambda t, o, a, n: f"{utc(n):%Y-%m-%dT%H:%M:%S}.{n // 10**6 % 1000:03}Z cpu12:2098473)WARNING: x"),
    ("z", 0, lambda t, o, a, n: f"IN 0x55d1d2f0 {t:%Y%m%d %H:%M:%S} READ (domain/0 )"),
    ("zy", 60, lambda t, o, a, n: f"[{EN[t.month - 1]}{spaced(t.day)} {t:%H:%M}] x"),
    ("", 0, lambda t, o, a, n: f"\ufeff{t:%Y-%m-%dT%H:%M:%S}{iso(o)} x"),
    ("u", 0, lambda t, o, a, n: f"{utc(n):%Y%m%dT%H%M%S}Z x"),
    ("z", 0, lambda t, o, a, n: f"{t:%y%m%d %H:%M:%S} [Note] x"),
    ("z", 0, lambda t, o, a, n: f"{t.day:02}.{t.month:02}.{t:%Y %H:%M:%S} x"),
    ("zm", 0, lambda t, o, a, n: f"{t.month:02}/{t.day:02}/{t:%Y %H:%M:%S} x"),
    ("zm", 0, lambda t, o, a, n: f"   1 | {t.month:02}/{t.day:02}/{t:%Y | %H:%M:%S} | Memory #0x01"),
    ("zy", 3, lambda t, o, a, n: f"{t:%m-%d %H:%M:%S}.{n // 10**6 % 1000:03}  1234  1234 I tag: x"),
]

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def utc(n):
    return EPOCH + timedelta(seconds=n // 10**9)


def edges(zone):
    """Moments around the changes of 2025, each a second before and after, and one of an ordinary day."""
    yield datetime(2025, 7, 15, 13, 30, 12, tzinfo=timezone.utc)
    at = datetime(2025, 1, 1, tzinfo=timezone.utc)
    while at < datetime(2026, 1, 1, tzinfo=timezone.utc):
        next_at = at + timedelta(minutes=30)
        if at.astimezone(zone).utcoffset() != next_at.astimezone(zone).utcoffset():
            yield next_at - timedelta(seconds=1)
            yield next_at + timedelta(minutes=7)
        at = next_at


def meanings(naive, zone):
    """Instants that a local time without a zone may mean; the earlier first."""
    both = [naive.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc) for fold in (0, 1)]
    return sorted({at for at in both if at.astimezone(zone).replace(tzinfo=None) == naive})


def nanoseconds(at):
    return (at - EPOCH) // timedelta(seconds=1) * 10**9


for name in ZONES:
    zone = ZoneInfo(name)
    for at in edges(zone):
        n = nanoseconds(at) + 123_456_789
        local = at.astimezone(zone)
        for flags, digits, write in FORMS:
            line = write(local, local.utcoffset(), local.tzname(), n)
            unit = 60 * 10**9 if digits == 60 else 10 ** (9 - digits)
            fraction = n % 10**9
            whole, doubt = nanoseconds(at), False
            if "z" in flags:
                readings = meanings(local.replace(tzinfo=None), zone)
                whole, doubt = nanoseconds(readings[0]), len(readings) > 1
            if "m" in flags and local.day <= 12 and local.day != local.month:
                doubt = True
            expected = (whole + fraction) // unit * unit
            year = str(local.year) if "y" in flags else "-"
            print(name, year, expected, "doubt" if doubt else "sure", line, sep="\t")
