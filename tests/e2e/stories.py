"""What senders report, day by day, counted back from today."""

from datetime import UTC, datetime, timedelta

from tests import mails

DAY = timedelta(days=1)


def day(back: int) -> str:
    """The date *back* days ago; a report about yesterday (1) is the newest there can be."""
    return str(datetime.now(UTC).date() - back * DAY)


def clean(back: int, domain: str = "example.com", **more: object) -> bytes:
    """Google's report about a day on which all went well."""
    return mails.mail(mails.report(domain, day(back), details=(), **more))  # type: ignore[arg-type]


def failing(
    back: int = 1, domain: str = "example.com", mx: str = "mx1.example.com", **more: object
) -> bytes:
    """Google's report about a day on which the certificate of *mx* had expired."""
    row = mails.detail(mx=mx)
    return mails.mail(
        mails.report(domain, day(back), details=(row,), **more)  # type: ignore[arg-type]
    )


def many(count: int) -> list[bytes]:
    """*count* different reports, every tenth about a failure at an MX of its own."""
    return [
        failing(1 + number % 3, f"d{number}.example", f"mx{number}.example.net")
        if number % 10 == 0
        else clean(1 + number % 3, f"d{number}.example")
        for number in range(count)
    ]
