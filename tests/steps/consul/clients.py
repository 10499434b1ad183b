"""What a program does with python-consul or py-consul. `clients.py URL`

Works against every server of Consul's interface; services are called `py-…` and gone at the end.
"""

import inspect
import sys
import threading
import time
import urllib.parse

import consul

at = urllib.parse.urlsplit(sys.argv[1])
# How long something may take that has no time of its own, in seconds.
SOON = 1.0

c = consul.Consul(host=at.hostname, port=at.port)


def note(text):
    print(f"    {text}")


def expect(is_so, *seen):
    if not is_so:
        raise AssertionError(f"seen: {seen}")


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, "not within", seconds, "s")
        time.sleep(0.02)


def refused(function, *arguments, **named):
    """Raises the library's exception, or is False, which a library makes of 404."""
    try:
        seen = function(*arguments, **named)
    except consul.ConsulException:
        return
    expect(seen is False, "not refused", seen)


def health(name, **options):
    """The ids of a service's instances, sorted."""
    return sorted(row["Service"]["ID"] for row in c.health.service(name, **options)[1])


def own_check(name):
    """The one check of a service of one instance."""
    rows = c.health.service(name)[1]
    expect(len(rows) == 1, rows)
    return [check for check in rows[0]["Checks"] if check["ServiceName"] == name][0]


def registering():
    a = c.agent
    knows_meta = "meta" in inspect.signature(a.service.register).parameters
    meta = {"meta": {"team": "shop"}} if knows_meta else {}
    expect(a.service.register(
        "py-web", service_id="py-web-1", address="10.1.2.3", port=8080, tags=["v1", "blue"],
        check=consul.Check.ttl("60s"), **meta) is True)
    a.service.register("py-web", service_id="py-web-2", address="10.1.2.4", port=8081)
    mine = a.services()
    expect(mine["py-web-1"]["Tags"] == ["v1", "blue"], mine)
    expect(mine["py-web-1"]["Meta"] == meta.get("meta", {}), mine)
    expect((mine["py-web-2"]["Address"], mine["py-web-2"]["Port"]) == ("10.1.2.4", 8081), mine)
    expect("consul" not in mine, mine)
    wait_until(lambda: health("py-web") == ["py-web-1", "py-web-2"])
    expect(health("py-web", passing=True) == ["py-web-2"], "a TTL check begins critical")
    expect(health("py-web", tag="blue") == ["py-web-1"])
    expect(health("py-nobody") == [])
    index, services = c.catalog.services()
    expect(int(index) > 0, index)
    expect(sorted(services["py-web"]) == ["blue", "v1"], services)
    expect("consul" in services, services)
    rows = c.catalog.service("py-web", tag="v1")[1]
    expect([row["ServiceAddress"] for row in rows] == ["10.1.2.3"], rows)
    expect("dc1" in c.catalog.datacenters())
    node = a.self()["Config"]["NodeName"]
    expect(node in [row["Node"] for row in c.catalog.nodes()[1]], node)
    expect(c.catalog.node(node)[1]["Services"]["py-web-2"]["Port"] == 8081)
    expect(c.catalog.node("py-nowhere")[1] is None)
    expect(any(check["CheckID"] == "serfHealth" for check in c.health.node(node)[1]))
    expect([m["Name"] for m in a.members()] == [node], a.members())
    expect(c.status.leader() and c.status.peers())
    note("registered, and found by agent, catalog and health; datacenters, nodes, members, self")


def ttl():
    check = "service:py-web-1"
    c.agent.service.deregister("py-web-2")
    wait_until(lambda: health("py-web") == ["py-web-1"])
    for say, status in [
        (c.agent.check.ttl_pass, "passing"),
        (c.agent.check.ttl_warn, "warning"),
        (c.agent.check.ttl_fail, "critical"),
        (c.agent.check.ttl_pass, "passing"),
    ]:
        expect(say(check, notes=f"it is {status}") is True)
        wait_until(lambda: own_check("py-web")["Status"] == status)
        wait_until(lambda: own_check("py-web")["Output"] == f"it is {status}")
        passing = ["py-web-1"] if status == "passing" else []
        expect(health("py-web", passing=True) == passing, status)
        states = c.health.state(status)[1]
        expect(check in [row["CheckID"] for row in states], states)
    expect([row["CheckID"] for row in c.health.checks("py-web")[1]] == [check])
    expect(c.agent.checks()[check]["Type"] == "ttl")
    c.agent.service.register("py-short", check=consul.Check.ttl("1s"))
    c.agent.check.ttl_pass("service:py-short")
    wait_until(lambda: own_check("py-short")["Status"] == "passing")
    wait_until(lambda: own_check("py-short")["Status"] == "critical", 5)
    expect(own_check("py-short")["Output"], own_check("py-short"))
    c.agent.service.deregister("py-short")
    note("TTL: passing, warning, critical, passing; and critical when nothing is said for it")


def checks():
    c.agent.service.register("py-http", port=8080, check=consul.Check.http(
        "http://127.0.0.1:8080/health", "1s", timeout="2s"))
    c.agent.service.register("py-tcp", port=8080, check=consul.Check.tcp(
        "127.0.0.1", 8080, "1s", timeout="2s"))
    c.agent.service.register("py-none", port=8080, check=consul.Check.http(
        "http://127.0.0.1:8080/no-such-page", "1s", deregister="90m"))
    wait_until(lambda: health("py-http", passing=True) and health("py-tcp", passing=True))
    # The agent's own: an agent is in no hurry to tell the catalog of a mere output.
    wait_until(lambda: "404" in c.agent.checks()["service:py-none"]["Output"])
    expect(own_check("py-none")["Status"] == "critical")
    c.agent.check.register("py extra", check=consul.Check.ttl("60s"), check_id="py-extra",
                           service_id="py-http", notes="by hand")
    wait_until(lambda: health("py-http", passing=True) == [])
    expect(c.agent.checks()["py-extra"]["Notes"] == "by hand")
    c.agent.check.deregister("py-extra")
    wait_until(lambda: health("py-http", passing=True) == ["py-http"])
    for name in ["py-http", "py-tcp", "py-none"]:
        c.agent.service.deregister(name)
    note("HTTP and TCP checks, one that fails, and a second check of a service")


def changes():
    """Blocking queries, of an index that is known."""
    index, _ = c.health.service("py-web")
    begun = time.monotonic()
    same, rows = c.health.service("py-web", index=index, wait="1s")
    took = time.monotonic() - begun
    expect(same == index and len(rows) == 1, same, index)
    # The wait, a sixteenth of it at the most, and the way.
    expect(1 <= took < 1.0625 + SOON, took)
    woken = []

    def watch():
        watcher = consul.Consul(host=at.hostname, port=at.port)
        woken.append((watcher.health.service("py-web", index=index, wait="30s"), time.monotonic()))

    def woken_by(change):
        woken.clear()
        waiting = threading.Thread(target=watch)
        waiting.start()
        # Others' changes are nothing to it.
        c.agent.service.register("py-other", port=1)
        c.agent.service.deregister("py-other")
        expect(waiting.is_alive(), "woken by another service", woken)
        changed = time.monotonic()
        change()
        waiting.join(10)
        expect(woken, "not woken")
        (later, rows), when = woken[0]
        expect(int(later) > int(index), later, index)
        expect(when - changed < SOON, when - changed)
        return later, rows

    index, rows = woken_by(lambda: c.agent.check.ttl_fail("service:py-web-1"))
    expect("critical" in [check["Status"] for check in rows[0]["Checks"]], rows)
    index, rows = woken_by(lambda: c.agent.service.register("py-web", "py-web-9", port=9))
    expect(len(rows) == 2, rows)
    index, rows = woken_by(lambda: c.agent.service.deregister("py-web-9"))
    expect(len(rows) == 1, rows)
    note("a blocking query ends with the same index, or at once after a change of its own")


def maintenance():
    expect(c.agent.service.maintenance("py-web-1", True, reason="new disk") is True)
    wait_until(lambda: "_service_maintenance:py-web-1" in c.agent.checks())
    expect(c.agent.checks()["_service_maintenance:py-web-1"]["Notes"] == "new disk")
    c.agent.check.ttl_pass("service:py-web-1")
    wait_until(lambda: health("py-web", passing=True) == [])
    expect(c.agent.service.maintenance("py-web-1", False) is True)
    wait_until(lambda: health("py-web", passing=True) == ["py-web-1"])
    expect(c.agent.maintenance(True, reason="reboot") is True)
    wait_until(lambda: health("py-web", passing=True) == [])
    expect("_node_maintenance" in c.agent.checks())
    expect(c.agent.maintenance(False) is True)
    wait_until(lambda: health("py-web", passing=True) == ["py-web-1"])
    note("maintenance of a service and of its node, begun and ended")


def catalog():
    expect(c.catalog.register("py-node", "10.9.8.7", service={
        "Service": "py-external", "ID": "py-external-1", "Port": 5432, "Tags": ["db"]},
        check={"Name": "seen", "Status": "passing", "ServiceID": "py-external-1"}) is True)
    wait_until(lambda: health("py-external", passing=True) == ["py-external-1"])
    row = c.catalog.service("py-external")[1][0]
    expect((row["Node"], row["Address"], row["ServiceAddress"]) == ("py-node", "10.9.8.7", ""), row)
    expect("py-external-1" not in c.agent.services(), "it is another node's")
    expect(c.catalog.deregister("py-node", service_id="py-external-1") is True)
    wait_until(lambda: health("py-external") == [])
    expect("py-node" in [row["Node"] for row in c.catalog.nodes()[1]])
    expect(c.catalog.deregister("py-node") is True)
    wait_until(lambda: "py-node" not in [row["Node"] for row in c.catalog.nodes()[1]])
    note("a node and its service by the catalog, deregistered one after the other")


def errors():
    refused(c.agent.check.ttl_pass, "service:py-nobody")
    refused(c.health.service, "py-web", dc="py-no-such-datacenter")
    refused(c.health.service, "py-web", index=1, wait="10")
    refused(c.catalog.register, "py-node", "")
    # What a server says that has no such key, and so one that has no key at all.
    index, value = c.kv.get("py/no/such/key")
    expect(value is None and int(index) > 0, index, value)
    note("errors are the library's own exceptions; a key that is not there is (index, None)")


for part in [registering, ttl, checks, changes, maintenance, catalog, errors]:
    part()
c.agent.service.deregister("py-web-1")
wait_until(lambda: health("py-web") == [])
