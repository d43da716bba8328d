"""What domains publish, as a test changes it: a `ports.Scout` without a network."""

from collections.abc import Mapping, Sequence

from tlsrpt_mailer.domains.seen import Answer, Page, RecordType, Shown

RIGHT = "v=TLSRPTv1; rua=mailto:tlsrpt@example.com"
STS = "v=STSv1; id=20261001;"
POLICY = "version: STSv1\nmode: {mode}\n{mx}max_age: 604800\n"


class Sky:
    """
    Records by (name, type), policies by domain, and what addresses show.

    What is not there is absent; *dark* names have no answer.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, RecordType], tuple[str, ...]] = {}
        self.secure: bool | None = None
        self.dark: set[str] = set()
        self.bogus: set[str] = set()
        self.aliases: dict[str, str] = {}
        self.pages: dict[str, Page] = {}
        self.shows: dict[tuple[str, str], Shown] = {}
        self.blocked: str | None = None
        self.silent: str | None = None
        """No name server answers anything, and why."""
        self.blocked_v6: str | None = None
        self.asked: list[tuple[str, str]] = []
        self.controls = 0

    def domain(
        self,
        name: str,
        *,
        mx: tuple[str, ...] = ("mx1",),
        record: str | None = RIGHT,
        mode: str | None = None,
        covers: tuple[str, ...] | None = None,
    ) -> None:
        """A domain that is well: MX hosts below it, a record, a policy if *mode* says so."""
        hosts = [f"{one}.{name}" if "." not in one else one for one in mx]
        self.put(name, "MX", *(f"{10 * at} {host}" for at, host in enumerate(hosts, 1)))
        self.put(name, "NS", "ns1.example.net")
        for at, host in enumerate(hosts, 1):
            self.put(host, "A", f"192.0.2.{at}")
        self.put(f"_smtp._tls.{name}", "TXT", *([record] if record else []))
        self.put("example.com", "MX", "10 mx1.example.com")
        if mode is not None:
            self.policy(name, mode, hosts if covers is None else covers)

    def policy(self, name: str, mode: str, mx: object, sts: str = STS) -> None:
        lines = "".join(f"mx: {one}\n" for one in mx)  # type: ignore[attr-defined]
        self.put(f"_mta-sts.{name}", "TXT", sts)
        self.pages[name] = Page(
            kind="found", media_type="text/plain", text=POLICY.format(mode=mode, mx=lines)
        )

    def put(self, name: str, kind: RecordType, *values: str) -> None:
        """Publish these values, or nothing."""
        self.records.pop((name, kind), None)
        if values:
            self.records[name, kind] = values

    # -------------------------------------------------------------------- Scout

    def ask(self, name: str, kind: RecordType) -> Answer:
        """See `ports.Scout.ask`."""
        self.asked.append((name, kind))
        if self.silent is not None:
            return Answer("trouble", error=self.silent)
        if name in self.dark:
            return Answer("trouble", error="no answer in time")
        if name in self.bogus:
            return Answer("trouble", error="SERVFAIL", is_bogus=True)
        values = self.records.get((name, kind))
        if values is None:
            return Answer("absent", secure=self.secure)
        return Answer("found", tuple(sorted(values)), self.secure, alias=self.aliases.get(name))

    def page(self, domain: str) -> Page:
        """See `ports.Scout.page`."""
        self.asked.append((domain, "page"))
        return self.pages.get(domain, Page(kind="dns", error="no such name"))

    def show(self, host: str, ip: str) -> Shown:
        """See `ports.Scout.show`."""
        self.asked.append((host, ip))
        return self.shows.get((host, ip), Shown(ip=ip, at=0, kind="timeout", error="no answer"))

    def silence(self, hosts: Sequence[str]) -> str | None:
        """See `ports.Scout.silence`."""
        return self.silent

    def control(self, hosts: Sequence[str], kind: RecordType) -> str | None:
        """See `ports.Scout.control`."""
        assert ["mx.elsewhere.example"] == list(hosts)
        self.controls += 1
        return self.blocked if kind == "A" else self.blocked_v6

    def questions(self) -> Mapping[str, int]:
        """How often each name was asked for."""
        found: dict[str, int] = {}
        for name, _ in self.asked:
            found[name] = found.get(name, 0) + 1
        return found
