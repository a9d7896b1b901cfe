# Copyright (C) rs-gateway contributors
#
# For each alert of rs-gateway.rules.yml what makes it fire: series in
# promtool's notation, one value a minute, and the minute at which it must.
# The same at HEALTHY must fire nothing: each alert has at least one series
# whose metric is there, too.

HEALTHY = {
    'up{job="rs-gateway",instance="node1"}': "1x180",
    'up{job="rs-turn",instance="turn1"}': "1x180",
    'rs_build_info{node="node1",version="1"}': "1x180",
    'rs_build_info{node="node2",version="1"}': "1x180",
    'rs_workers{node="node1"}': "2x180",
    'rs_redis_up{node="node1"}': "2x180",
    'rs_bus_up{node="node1"}': "2x180",
    'rs_redis_slow{node="node1"}': "0x180",
    'rs_redis_call_seconds_bucket{node="node1",le="0.01"}': "0+60x180",
    'rs_redis_call_seconds_bucket{node="node1",le="+Inf"}': "0+60x180",
    'rs_redis_uncertain_total{node="node1"}': "7x180",
    'rs_lease_age_seconds{node="node1"}': "4x180",
    'rs_leases_lost_total{node="node1"}': "1x180",
    'rs_workers_reaped_total{node="node1"}': "2x180",
    'rs_connections_refused_total{node="node1",reason="full"}': "3x180",
    'rs_connections_refused_total{node="node1",reason="handshake"}': "0+9x180",
    'rs_connections_shed_total{node="node1"}': "3x180",
    'rs_connections_closed_total{node="node1",reason="overloaded"}': "9x180",
    'rs_connections_closed_total{node="node1",reason="none"}': "0+99x180",
    'rs_problems_total{node="node1",code="unavailable",status="503"}': "9x180",
    'rs_problems_total{node="node1",code="not_found",status="404"}':
        "0+600x180",
    'rs_draining{node="node1"}': "0x100 1x60 0x20",
    'rs_jwks_fetches_total{node="node1",result="failed"}': "0+1x180",
    'rs_jwks_fetches_total{node="node1",result="good"}': "0+1x180",
    'rs_id_tokens_total{node="node1",result="unchecked"}': "2x180",
    'rs_id_tokens_total{node="node1",result="good"}': "0+5x180",
    'rs_device_key_mismatches_total{node="node1"}': "4x180",
    'rs_failures_total{node="node1",of="address"}': "0+10x180",
    'rs_envelopes_bad_total{node="node1"}': "1x180",
    'rs_turn_cli_up{relay="turn1"}': "1x90 0x3 1x87",
    'rs_turn_in_sync{relay="turn1"}': "1x90 0x3 1x87",
    'rs_turn_stale{relay="turn1"}': "0x180",
    'rs_turn_full_total{relay="turn1"}': "5x180",
    'rs_turn_kill_seconds_bucket{relay="turn1",le="0.1"}': "0+6x180",
    'rs_turn_kill_seconds_bucket{relay="turn1",le="+Inf"}': "0+6x180",
    'rs_turn_usage_pending{relay="turn1",state="ended"}': "0x90 4x20 0x70",
    'rs_turn_policy_reloads_total{relay="turn1",result="failed"}': "1x180",
    'rs_turn_policy_reloads_total{relay="turn1",result="changed"}':
        "0+1x180",
    'rs_turn_listings_total{relay="turn1",result="forged"}': "1x180",
}

FIRES = {
    "RsGatewayDown": ({'up{job="rs-gateway",instance="node1"}':
                       "1x5 0x10"}, 10),
    "RsGatewayWithoutRedis": ({'rs_workers{node="node1"}': "2x20",
                               'rs_redis_up{node="node1"}': "2x5 1x15"}, 10),
    "RsGatewayHearsNothing": ({'rs_workers{node="node1"}': "2x20",
                               'rs_bus_up{node="node1"}': "2x5 0x15"}, 10),
    "RsRedisSlow": ({'rs_redis_slow{node="node1"}': "0x5 1x15"}, 10),
    "RsRedisLatency": ({
        'rs_redis_call_seconds_bucket{node="node1",le="0.01"}': "0+50x40",
        'rs_redis_call_seconds_bucket{node="node1",le="0.5"}': "0+60x40",
        'rs_redis_call_seconds_bucket{node="node1",le="+Inf"}': "0+60x40"},
        30),
    "RsWritesUncertain": ({'rs_redis_uncertain_total{node="node1"}':
                           "0x5 1+1x20"}, 15),
    "RsLeaseOld": ({'rs_lease_age_seconds{node="node1"}': "4x5 12x10"}, 8),
    "RsLeasesLost": ({'rs_leases_lost_total{node="node1"}': "0x5 1x10"}, 8),
    "RsWorkersDie": ({'rs_workers_reaped_total{node="node1"}':
                      "0x5 4x10"}, 8),
    "RsGatewayFull": ({
        'rs_connections_refused_total{node="node1",reason="full"}':
        "0x5 1x10"}, 8),
    "RsConnectionsShed": ({'rs_connections_shed_total{node="node1"}':
                           "0x5 1x10"}, 8),
    "RsSlowReaders": ({
        'rs_connections_closed_total{node="node1",reason="overloaded"}':
        "0x5 20x10"}, 8),
    "RsServerErrors": ({
        'rs_problems_total{node="node1",code="unavailable",status="503"}':
        "0+120x30"}, 20),
    "RsDrainForgotten": ({'rs_draining{node="node1"}': "1x150"}, 130),
    "RsVersionsDiffer": ({'rs_build_info{node="node1",version="1"}':
                          "1x1500",
                          'rs_build_info{node="node2",version="2"}':
                          "1x1500"}, 1450),
    "RsSigningKeysNotFetched": ({
        'rs_jwks_fetches_total{node="node1",result="failed"}': "0+1x60",
        'rs_jwks_fetches_total{node="node1",result="good"}': "3x60"}, 45),
    "RsSignInBroken": ({
        'rs_id_tokens_total{node="node1",result="unchecked"}':
        "0x5 3x10"}, 8),
    "RsDeviceKeyMismatch": ({
        'rs_device_key_mismatches_total{node="node1"}': "0x5 1x10"}, 8),
    "RsCredentialsGuessed": ({
        'rs_failures_total{node="node1",of="address"}': "0+60x30",
        'rs_failures_total{node="node2",of="address"}': "0+60x30"}, 20),
    "RsEnvelopesBad": ({'rs_envelopes_bad_total{node="node1"}':
                        "0x5 1x10"}, 8),
    "RsTurnDown": ({'up{job="rs-turn",instance="turn1"}': "1x5 0x10"}, 10),
    "RsTurnCannotEnd": ({'rs_turn_cli_up{relay="turn1"}': "1x5 0x15"}, 15),
    "RsTurnBehind": ({'rs_turn_in_sync{relay="turn1"}': "1x5 0x15"}, 15),
    "RsTurnStale": ({'rs_turn_stale{relay="turn1"}': "0x5 1x5"}, 7),
    "RsTurnFull": ({'rs_turn_full_total{relay="turn1"}': "0x5 1x10"}, 8),
    "RsTurnEndsLate": ({
        'rs_turn_kill_seconds_bucket{relay="turn1",le="0.1"}': "0+5x30",
        'rs_turn_kill_seconds_bucket{relay="turn1",le="5"}': "0+6x30",
        'rs_turn_kill_seconds_bucket{relay="turn1",le="+Inf"}': "0+6x30"},
        20),
    "RsTurnUsageWaits": ({
        'rs_turn_usage_pending{relay="turn1",state="ended"}': "1x60"}, 45),
    "RsTurnPolicyRefused": ({
        'rs_turn_policy_reloads_total{relay="turn1",result="failed"}':
        "0x5 1x10"}, 8),
    "RsTurnListingsForged": ({
        'rs_turn_listings_total{relay="turn1",result="forged"}':
        "0x5 1x10"}, 8),
}
