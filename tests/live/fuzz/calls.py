"""Calls that are in order, of every type, made of what is there. What they may hit is the fuzzer's own: its framework, its agent,
roles and machines that nobody else has."""

import base64

UUID = base64.b64encode(bytes(range(16)).replace(b"\x06", b"\x46")).decode()
ROLE = "fuzz"
# of nobody's frameworks: weights and guarantees would take offers back from others
SPARE_ROLE = "fuzz-spare"


def scalar(name, value, **more):
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **more}


def reserved(name, value, **more):
    reservation = {"type": "DYNAMIC", "role": ROLE, "principal": "fuzz"}
    return scalar(name, value, reservations=[reservation], **more)


def volume(identity="v1", value=8):
    persistence = {"id": identity, "principal": "fuzz"}
    place = {"mode": "RW", "container_path": "data"}
    return reserved("disk", value, disk={"persistence": persistence, "volume": place})


def framework_info(**more):
    return {
        "user": "root",
        "name": "fuzz",
        "principal": "fuzz",
        "roles": [ROLE],
        "capabilities": [{"type": it} for it in ("MULTI_ROLE", "PARTITION_AWARE", "RESERVATION_REFINEMENT")],
        "labels": {"labels": [{"key": "k", "value": "v"}]},
        **more,
    }


def task(context, identity, **more):
    return {
        "name": identity,
        "task_id": {"value": identity},
        "agent_id": {"value": context["agent"]},
        "resources": [scalar("cpus", 0.01), scalar("mem", 8)],
        "command": {
            "shell": True,
            "value": "true",
            "environment": {"variables": [{"name": "A", "type": "VALUE", "value": "b"}]},
            "uris": [],
        },
        "kill_policy": {"grace_period": {"nanoseconds": 1_000_000}},
        "labels": {"labels": [{"key": "k"}]},
        "health_check": {"type": "COMMAND", "command": {"value": "true"}, "grace_period_seconds": 1.5},
        **more,
    }


def executor(context):
    return {
        "type": "DEFAULT",
        "executor_id": {"value": "fuzz-pod"},
        "framework_id": {"value": context["framework"]},
        "resources": [scalar("cpus", 0.01), scalar("mem", 32)],
    }


def subscribe(context):
    constraint = {
        "selector": {"attribute_name": "rack"},
        "predicate": {"text_matches": {"regex": "[a-z]{1,3}|x+"}},
    }
    constraints = {"role_constraints": {ROLE: {"groups": [{"attribute_constraints": [constraint]}]}}}
    minimum = {"min_allocatable_resources": {"quantities": [{"quantities": {"cpus": {"value": 0.1}}}]}}
    return {
        "type": "SUBSCRIBE",
        "subscribe": {
            "framework_info": framework_info(offer_filters={ROLE: minimum}, failover_timeout=0.0),
            "suppressed_roles": [ROLE],
            "offer_constraints": constraints,
        },
    }


def operations(context, dice):
    identity = f"t{dice.randrange(1 << 30)}"
    return [
        {"type": "RESERVE", "id": {"value": identity}, "reserve": {"resources": [reserved("disk", 16)]}},
        {"type": "CREATE", "create": {"volumes": [volume()]}},
        {"type": "GROW_VOLUME", "grow_volume": {"volume": volume(), "addition": reserved("disk", 4)}},
        {"type": "SHRINK_VOLUME", "shrink_volume": {"volume": volume(), "subtract": {"value": 4}}},
        {"type": "LAUNCH", "launch": {"task_infos": [task(context, identity)]}},
        {
            "type": "LAUNCH_GROUP",
            "launch_group": {
                "executor": executor(context),
                "task_group": {"tasks": [task(context, identity + "a"), task(context, identity + "b")]},
            },
        },
        {"type": "DESTROY", "destroy": {"volumes": [volume()]}},
        {"type": "UNRESERVE", "unreserve": {"resources": [reserved("disk", 16)]}},
        {"type": "CREATE_DISK", "create_disk": {"source": scalar("disk", 1), "target_type": "MOUNT"}},
    ]


def scheduler(context, dice):
    """Calls of a scheduler; all but SUBSCRIBE name its framework."""
    offers = [{"value": it} for it in context["offers"][:2]] or [{"value": "none"}]
    agent, name = {"value": context["agent"]}, {"value": "t1"}
    filters = {"filters": {"refuse_seconds": 0.5}}
    chosen = dice.sample(operations(context, dice), dice.randrange(4))
    calls = {
        "ACCEPT": {"offer_ids": offers, "operations": chosen, **filters},
        "DECLINE": {"offer_ids": offers, **filters},
        "ACCEPT_INVERSE_OFFERS": {"inverse_offer_ids": offers, **filters},
        "DECLINE_INVERSE_OFFERS": {"inverse_offer_ids": offers, **filters},
        "REVIVE": {"roles": [ROLE]},
        "SUPPRESS": {"roles": [ROLE]},
        "KILL": {"task_id": name, "agent_id": agent, "kill_policy": {"grace_period": {"nanoseconds": 1}}},
        "SHUTDOWN": {"executor_id": {"value": "fuzz-pod"}, "agent_id": agent},
        "ACKNOWLEDGE": {"agent_id": agent, "task_id": name, "uuid": UUID},
        "ACKNOWLEDGE_OPERATION_STATUS": {"agent_id": agent, "uuid": UUID, "operation_id": {"value": "o"}},
        "RECONCILE": {"tasks": [{"task_id": name, "agent_id": agent}]},
        "RECONCILE_OPERATIONS": {"operations": [{"operation_id": {"value": "o"}, "agent_id": agent}]},
        "MESSAGE": {"agent_id": agent, "executor_id": {"value": "fuzz-pod"}, "data": UUID},
        "REQUEST": {"requests": [{"agent_id": agent, "resources": [scalar("cpus", 1)]}]},
        "UPDATE_FRAMEWORK": {"framework_info": framework_info(id={"value": context["framework"]})},
    }
    calls = [{"type": kind, kind.lower(): part} for kind, part in calls.items()]
    named = [{"framework_id": {"value": context["framework"]}, **call} for call in calls]
    # as often as all the others: it has most to get wrong
    return dice.choice([*named, *[named[0]] * 8, *[subscribe(context)] * 4])


def operator(context, dice):
    agent, machine = {"agent_id": {"value": context["agent"]}}, {"hostname": "fuzz-host", "ip": "10.9.9.9"}
    window = {"machine_ids": [machine], "unavailability": {"start": {"nanoseconds": 1 << 61}}}
    units = {"fuzz-units": {"value": 3.0}}
    changing = {
        "SET_LOGGING_LEVEL": {"level": 0, "duration": {"nanoseconds": 1}},
        "LIST_FILES": {"path": "/"},
        "READ_FILE": {"path": "/master/log", "offset": 0, "length": 1},
        "GET_METRICS": {"timeout": {"nanoseconds": 1}},
        "UPDATE_WEIGHTS": {"weight_infos": [{"role": SPARE_ROLE, "weight": 2.5}]},
        "RESERVE_RESOURCES": {**agent, "resources": [reserved("disk", 16)]},
        "UNRESERVE_RESOURCES": {**agent, "resources": [reserved("disk", 16)]},
        "CREATE_VOLUMES": {**agent, "volumes": [volume("v2")]},
        "DESTROY_VOLUMES": {**agent, "volumes": [volume("v2")]},
        "GROW_VOLUME": {**agent, "volume": volume("v2"), "addition": reserved("disk", 1)},
        "SHRINK_VOLUME": {**agent, "volume": volume("v2"), "subtract": {"value": 1}},
        "UPDATE_MAINTENANCE_SCHEDULE": {"schedule": {"windows": [window]}},
        "START_MAINTENANCE": {"machines": [machine]},
        "STOP_MAINTENANCE": {"machines": [machine]},
        "DRAIN_AGENT": {**agent, "max_grace_period": {"seconds": 1}, "mark_gone": False},
        "DEACTIVATE_AGENT": agent,
        "REACTIVATE_AGENT": agent,
        "UPDATE_QUOTA": {"force": True, "quota_configs": [{"role": SPARE_ROLE, "limits": units}]},
        "SET_QUOTA": {
            "quota_request": {"force": True, "role": SPARE_ROLE, "guarantee": [scalar("fuzz-units", 1)]}
        },
        "REMOVE_QUOTA": {"role": SPARE_ROLE},
        "TEARDOWN": {"framework_id": {"value": "nobody"}},
        "MARK_AGENT_GONE": {"agent_id": {"value": "nobody-S1"}},
    }
    reading = (
        "HEALTH FLAGS VERSION STATE AGENTS FRAMEWORKS EXECUTORS OPERATIONS TASKS ROLES WEIGHTS MASTER QUOTA"
        " MAINTENANCE_STATUS MAINTENANCE_SCHEDULE LOGGING_LEVEL"
    )
    calls = [{"type": kind, kind.lower(): part} for kind, part in changing.items()]
    calls += [{"type": f"GET_{kind}"} for kind in reading.split()]
    return dice.choice([*calls, {"type": "SUBSCRIBE"}])


def executor_call(context, dice):
    """What an executor says to the fuzzer's own agent."""
    ids = {"executor_id": {"value": "fuzz-pod"}, "framework_id": {"value": context["framework"]}}
    status = {
        "task_id": {"value": "t1"},
        "state": "TASK_RUNNING",
        "source": "SOURCE_EXECUTOR",
        "uuid": UUID,
        "timestamp": 1.5,
        "executor_id": ids["executor_id"],
        "container_status": {"network_infos": [{"ip_addresses": [{"ip_address": "127.0.0.1"}]}]},
    }
    update = {"status": status}
    known = {"unacknowledged_tasks": [task(context, "t1")], "unacknowledged_updates": [update]}
    return dice.choice(
        [
            {**ids, "type": "SUBSCRIBE", "subscribe": known},
            {**ids, "type": "UPDATE", "update": update},
            {**ids, "type": "MESSAGE", "message": {"data": UUID}},
            {**ids, "type": "HEARTBEAT"},
        ]
    )


def agent_call(context, dice):
    """What an operator asks of the fuzzer's own agent."""
    container = {"container_id": {"value": "c", "parent": {"value": "p"}}}
    command = {**container, "command": {"value": "true"}}
    calls = {
        "GET_METRICS": {"timeout": {"nanoseconds": 1}},
        "SET_LOGGING_LEVEL": {"level": 0, "duration": {"nanoseconds": 1}},
        "LIST_FILES": {"path": "/slave/log"},
        "READ_FILE": {"path": "/slave/log", "offset": 0, "length": 1},
        "GET_CONTAINERS": {"show_nested": True, "show_standalone": False},
        "LAUNCH_NESTED_CONTAINER": command,
        "WAIT_NESTED_CONTAINER": container,
        "KILL_NESTED_CONTAINER": {**container, "signal": 15},
        "REMOVE_NESTED_CONTAINER": container,
        "LAUNCH_NESTED_CONTAINER_SESSION": command,
        "ATTACH_CONTAINER_OUTPUT": container,
        "LAUNCH_CONTAINER": command,
        "WAIT_CONTAINER": container,
        "KILL_CONTAINER": container,
        "REMOVE_CONTAINER": container,
    }
    reading = "HEALTH FLAGS VERSION STATE FRAMEWORKS EXECUTORS OPERATIONS TASKS AGENT RESOURCE_PROVIDERS LOGGING_LEVEL"
    all_calls = [{"type": kind, kind.lower(): part} for kind, part in calls.items()]
    all_calls += [{"type": f"GET_{kind}"} for kind in reading.split()]
    return dice.choice(all_calls)


def classic(context, dice):
    """A method, a path, and a form or JSON: the master's endpoints from before the v1 API."""
    agent = context["agent"]
    quota = {"role": SPARE_ROLE, "force": True, "guarantee": [scalar("fuzz-units", 1)]}
    machine = [{"hostname": "fuzz-host", "ip": "10.9.9.9"}]
    window = {"machine_ids": machine, "unavailability": {"start": {"nanoseconds": 1 << 61}}}
    disk, held = [reserved("disk", 16)], [volume("v3")]
    return dice.choice(
        [
            ("POST", "/reserve", {"slaveId": agent, "resources": disk}),
            ("POST", "/unreserve", {"slaveId": agent, "resources": disk}),
            ("POST", "/create-volumes", {"slaveId": agent, "volumes": held}),
            ("POST", "/destroy-volumes", {"slaveId": agent, "volumes": held}),
            ("POST", "/teardown", {"frameworkId": "nobody"}),
            ("POST", "/quota", quota),
            ("DELETE", f"/quota/{SPARE_ROLE}", {}),
            ("GET", "/quota", {}),
            ("PUT", "/weights", [{"role": SPARE_ROLE, "weight": 2}]),
            ("POST", "/maintenance/schedule", {"windows": [window]}),
            ("POST", "/machine/down", machine),
            ("POST", "/machine/up", machine),
            ("GET", "/maintenance/status", {}),
            ("GET", "/tasks?limit=5&offset=1&order=asc&framework_id=x", {}),
            ("GET", "/slaves?slave_id=x&jsonp=f", {}),
            ("GET", "/state?jsonp=f", {}),
            ("GET", "/metrics/snapshot?timeout=1secs", {}),
            ("GET", "/redirect", {}),
            ("GET", "/roles", {}),
        ]
    )


def agent_classic(context, dice):
    return dice.choice(
        [
            ("GET", "/files/browse?path=/slave/log&jsonp=f", {}),
            ("GET", "/files/read?path=/slave/log&offset=-1&length=5", {}),
            ("GET", "/files/download?path=/slave/log", {}),
            ("GET", "/containers?container_id=x&show_nested=true", {}),
            ("GET", "/monitor/statistics", {}),
            ("GET", "/state", {}),
            ("GET", "/metrics/snapshot", {}),
        ]
    )
