#!lua name=rs

-- Copyright (C) rs-gateway contributors
--
-- The function library of the remote-support gateway: everything that must
-- happen atomically in Redis.  docs/design/redis.md is the contract with the
-- callers, keys/*.json the catalogue of what is stored.
--
-- Invariants
--   * A function touches the keys it was given and no others, and all of
--     them carry the hash tag of one tenant; it works in Cluster.  The one
--     exception is the tenant's stream of events, which has that tag, too:
--     who calls as version 5 did names no key for it, and has events.
--   * The tenant and the session id are read from the key names, so that an
--     envelope cannot name another session than the one written.
--   * Work is bounded by what one session holds (participants, log size) or
--     by a constant; there is no KEYS, no SCAN.
--   * A reply is an array whose first element is "ok" or an error code;
--     numbers travel as text, null as the empty string.
--   * Refusals come before the first write, except that a ticket is used up
--     by the attempt.
--
-- It is one file, long as it is, because FUNCTION LOAD takes one text and
-- replaces all of a library at once.
--
-- KEYS and ARGV are named in the comment of each function in calling order;
-- "members" is the number of members of the session (at most max_par),
-- "participants" those it ever had (at most 4 x max_par).

local VERSION = 8
local SERVES = 5                -- the oldest version of callers served

-- The functions by their names; local ones would be too many for Lua.

local lib = {}

local IDEM_TTL = 86400          -- s, how long an Idempotency-Key is kept
local DEAD_STEP = 100           -- leases one call finds to have run out
local CLAIM = 30000             -- ms, for which a dead worker is claimed
local OWN_TTL = 691200          -- s, lists of duties outlive their last write
local DUTIES_MAX = 100          -- duties of one step
local LEASES_MAX = 10000        -- live workers returned by one call
local KEYS_MAX = 1000           -- API keys of one tenant
local GROUPS_MAX = 1000         -- device groups of one tenant
local POLICIES_MAX = 100        -- policies of one tenant
local GRANTS_MAX = 1000         -- grants of one tenant
local GRANTS_SUBJECT = 64       -- and of one subject
local DSES_MAX = 64             -- live sessions of one device, or of one user
local PAGE_MAX = 200            -- ids of one list page
local TIES_MAX = 64             -- ids of one ms looked through by a cursor
local ENR_KEEP = 3600           -- s, an enrolment outlives its last use
local ENR_LIFE = 2592000        -- s, the longest life of an enrolment
local INDEX_TRIM = 100          -- index entries removed by one create
local INDEX_FIRST = 1e12        -- ms, no object is older (2001)
local LOG_KEEP = 60             -- s, the log outlives the end of its session
local LOG_ENTRY = 64            -- bytes counted for an entry besides its fields
local TRIM_FIRST, TRIM_LAST = 4, 512    -- entries looked at in one round
local REPLIDS = 4 * 41          -- bytes of replication ids kept
local EPOCHS_LOST = 16          -- which a client may know of, at most
local PAR_TOTAL = 4             -- times max_par: participants ever

local FLAP = {
    max = 6,                    -- takeovers of a device, more: quarantine
    window = 60,                -- s, in which they are counted
    quarantine = 300            -- s
}

local ROTATION = {
    window = 3600,              -- s
    max = 6,                    -- changes of a device's key within it
    history = 8,                -- of which statements are kept
    mismatch = 60               -- s between two lines of the audit
}

local AUDIT_TRIM = 10000        -- lines one call removes
local DENIED_MAX = 10000        -- lines of who was not recognised, about
local AUDIT_TEXT = 512          -- bytes of one field of an audit line
local USER_TTL = 7776000        -- s, a user is remembered after the last call
local USER_SEEN = 60            -- s between two notes of that
local TURN_PAGE = 500           -- entries of one page for the TURN plugin
local TENS_STEP = 64           -- tenants told by one call
local USE_STEP = 64             -- allocations one call tells of
local USE_MAX = 2048            -- allocations of one session kept

local SES = {
    'kind', 'state', 'device_id', 'host_par', 'policy', 'external_id',
    'reason', 'metadata', 'created_at', 'expires_at', 'ended_at',
    'end_reason', 'end_detail', 'path', 'pos', 'group_id', 'user_id',
    'control', 'host', 'queue', 'rec_state', 'rec_id', 'rec_par', 'epoch',
    'replid', 'log_bytes', 'invited', 'retain_s',
    'max_par', 'trimmed', 'key_id', 'key_name', 'asked', 'control_epoch',
    'help', 'help_until', 'help_ticket', 'rec_dev', 'rec_invited',
    'rec_then', 'rec_tries', 'moves'
}
local SES_OBJ = 23              -- the first of them, after id, are the object

local PAR = { 'id', 'role', 'name', 'external_id', 'state', 'joined_at',
              'left_at', 'path', 'moderator', 'guest', 'seq', 'until' }
local PAR_OBJ = 10

local DEV = { 'name', 'tags', 'group_id', 'meta', 'public_key', 'created_at',
              'connected_at', 'last_seen_at', 'agent', 'owner', 'version',
              'epoch', 'enrollment_id', 'key_history', 'old_key', 'kind',
              'load' }

local KEY = { 'name', 'scopes', 'created_at', 'granted', 'expires_at', 'id' }
local KEY_OBJ = { 'name', 'scopes', 'created_at', 'granted', 'expires_at' }

local ENR = { 'max_uses', 'uses', 'expires_at', 'created_at', 'group_id',
              'tags', 'approval', 'kind' }


-- Shared helpers

-- redis.call does not exist yet while the library is loaded: the first call
-- finds it.

local call

call = function(...)
    call = redis.call

    return call(...)
end


local function int(n)
    return string.format('%.0f', n)
end


local function now_s()
    return tonumber(call('TIME')[1])
end


local function now_ms()
    local t = call('TIME')

    return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end


-- The tenant and the id in the name of a key.

local function names_of(key)
    return string.match(key, '^rs:{([^}]*)}:%a+:(.*)$')
end


local function id_of(key)
    return (select(2, names_of(key)))
end


local function worker_of(address)
    return string.match(address, '^(.+)%.[^.]*$') or address
end


-- A number of the caller's; anything else is its bug, not the client's.

local function number(s)
    local n = tonumber(s)

    if not n or n < 0 or n > 9007199254740992 or n % 1 ~= 0 then
        error('rs: "' .. tostring(s) .. '" is not a whole number')
    end

    return n
end


local function check(keys, nkeys, args, nargs)
    if #keys ~= nkeys or #args ~= nargs then
        error('rs: ' .. nkeys .. ' keys and ' .. nargs .. ' arguments wanted, '
              .. #keys .. ' and ' .. #args .. ' given')
    end
end


local function load_fields(key, names)
    local h = call('HMGET', key, unpack(names))
    local o = { key = key }

    for i, name in ipairs(names) do
        o[name] = h[i] or ''
    end

    return o
end


local function object(id, o, names, n)
    local flat = { 'id', id }

    for i = 1, n or #names do
        flat[#flat + 1] = names[i]
        flat[#flat + 1] = o[names[i]]
    end

    return flat
end


-- Services: devices of another kind than a desktop, which serve the sessions
-- of their tenant.  A renderer has browsers to be looked at, a recorder keeps
-- what a session showed.  Which there are, and how busy each is, is one hash of
-- the tenant: device -> "<kind> <owner or -> <capacity> <used> <queued> <queue>"
-- and, for each session it was given and has not answered for, a further word
-- "<session>@<s>", which counts until that instant.

local service = {
    desktop = 'desktop',        -- what is none
    kinds = { desktop = true, renderer = true, recorder = true },
    max = 64,                   -- of a kind and tenant
    most = 1000,                -- places, or waiting ones, it may speak of
    answer = 60,                -- s, in which it is to accept or to refuse
    moves = 3,                  -- of a session that renderers refuse
    refusals = { busy = true, failed = true }
}


function service.check(kind)
    if kind and not service.kinds[kind] then
        error('rs: "' .. kind .. '" is no kind of devices')
    end
end


-- What a device may not do as long as it is not one of these.

function service.is(d)
    return d.kind ~= '' and d.kind ~= service.desktop
end


function service.read(text, now)
    local list = {}
    local e

    for word in string.gmatch(text or '', '%S+') do
        list[#list + 1] = word
    end

    if #list < 6 then
        return nil
    end

    e = { kind = list[1], owner = list[2] ~= '-' and list[2] or '',
          capacity = tonumber(list[3]), used = tonumber(list[4]),
          queued = tonumber(list[5]), queue = tonumber(list[6]), given = {} }

    for i = 7, #list do
        local ses, til = string.match(list[i], '^([^@]*)@(%d+)$')

        if ses and tonumber(til) > now then
            e.given[#e.given + 1] = { id = ses, til = til }
        end
    end

    return e
end


function service.get(svcs, id, now)
    return service.read(call('HGET', svcs, id), now)
end


function service.put(svcs, id, e)
    local list = { e.kind, e.owner ~= '' and e.owner or '-', int(e.capacity),
                   int(e.used), int(e.queued), int(e.queue) }

    for _, g in ipairs(e.given) do
        list[#list + 1] = g.id .. '@' .. g.til
    end

    call('HSET', svcs, id, table.concat(list, ' '))
end


-- How many places it has left; not above 0: so many wait there already.  nil:
-- neither a place nor one in the queue.

function service.room(e)
    local free = e.capacity - e.used - e.queued - #e.given

    return free + e.queue > 0 and free or nil
end


-- The session is its business: it counts until the service says what comes of
-- it.

function service.give(svcs, id, e, ses, now)
    service.taken(e, ses)
    e.given[#e.given + 1] = { id = ses, til = int(now + service.answer) }
    service.put(svcs, id, e)
end


function service.taken(e, ses)
    for i, g in ipairs(e.given) do
        if g.id == ses then
            table.remove(e.given, i)
            return true
        end
    end

    return false
end


-- Its socket is gone: whatever it said is nothing any more.  at: the address or
-- the worker that is gone, if it may be another one that it said it from.

function service.away(svcs, id, at)
    local e = service.get(svcs, id, now_s())

    if e and e.owner ~= ''
       and (not at or e.owner == at or worker_of(e.owner) == at)
    then
        e.owner, e.used, e.queued, e.given = '', 0, 0, {}
        service.put(svcs, id, e)

        return e.kind
    end
end


-- Recordings.  A session that is kept has a recorder: a service, which is asked
-- in as the host is, takes part as one more participant, and says when it
-- records.  Of the session's hash
--
--   rec_state    "": it is not kept; waiting: no recorder has said yet that it
--                records; on; lost: it did; off: none does, none will
--   rec_id       the recording, or the last one
--   rec_dev      the service, rec_invited its address when it was asked in
--   rec_par      its participant; "": none is made yet
--   rec_then     waiting_recorder goes on to this state
--   rec_tries    recorders that were lost since it was recorded last
--
-- Which sessions a recorder has, for it may be away when they are made, is one
-- hash of the tenant: device -> "<session>@<s> ...", until when each counts.

local recording = {
    kinds = { off = true, optional = true, required = true },
    losses = { ['end'] = true, mark = true },
    duty = 'rec',               -- stands for a participant, in lists of duties
    wait = 15000,               -- ms a host waits for it, of an old caller
    most = 1000,                -- sessions one recorder may have
    max = 100000,               -- recordings of a tenant
    tries = 4,                  -- recorders that one is given in a row
    final = { host_refused = true, no_media = true },   -- for others, too
    life = 315360000,           -- s, ten years: then it is forgotten
    told = 2592000,             -- s, it is known that one is gone
    work = 100                  -- deletions told at once
}


-- Callers: who wants a function to do something, and may he?
--
-- A function that acts for a caller is registered by guarded(): the first
-- three of its KEYS are auth, gsub and audit, the first of its ARGV is the
-- caller, and what it gets itself is what comes after these, and "who".  All
-- functions of this kind say so by the word "guarded" in their heads.
--
-- The caller is '' for the gateway itself, which may everything and leaves no
-- line in the audit, or a JSON object of the gateway's making:
--
--   kind      key: auth is the record of an API key, which says what it may
--             user: auth is what is known of him, and the gateway has checked
--             his token; then also id, name, subjects ("user:...",
--             "group:..."), tenant and granted (verbs that he has for the
--             whole tenant, and those he has where a grant says so), iat
--   verb      what the function is called for; '': to know who it is
--   also      more of them, all of which are needed
--   addr, rid the client's address and the request's id, for the audit
--   list      1: of a list that was allowed: no audit line of its own
--   reads     1: what was only read is audited, too
--
-- Errors of all of them: unauthenticated, and forbidden when a verb is not
-- held at all.  An object whose group the caller may not even read is
-- not_found, in each way like one that does not exist.

local function set_of(list)
    local set = {}

    for _, verb in ipairs(list or {}) do
        set[verb] = true
    end

    return set
end


local function words(text)
    local list = {}

    for word in string.gmatch(text or '', '%S+') do
        list[#list + 1] = word
    end

    return list
end


-- "*" is all of a tenant: what concerns a node, and so all tenants, has to be
-- held by name.

local function holds(set, verb)
    return set[verb] or (set['*'] and string.sub(verb, 1, 5) ~= 'node:')
end


local function caller_key(who, now)
    local h = call('HMGET', who.auth, 'id', 'name', 'scopes', 'granted',
                   'expires_at')
    local scopes

    if not h[1] or ((h[5] or '') ~= '' and now >= tonumber(h[5])) then
        return false
    end

    scopes = set_of(words(h[3]))

    who.id, who.name = h[1], h[2] or ''
    who.expires_at = tonumber(h[5] or '')
    who.subjects = { 'key:' .. h[1] }
    who.tenant = h[4] == '1' and {} or scopes
    who.granted = h[4] == '1' and scopes or {}

    return true
end


-- Tokens of a user that are not younger than his revocation are void.

local function caller_user(who, c, now)
    local h = call('HMGET', who.auth, 'not_before', 'seen', 'name', 'iat')
    local iat = tonumber(h[4] or '0')

    if c.iat <= tonumber(h[1] or '-1') then
        return false
    end

    -- the newest token seen: the issuer's clock may be ahead of ours

    if now - tonumber(h[2] or '0') >= USER_SEEN or h[3] ~= c.name
       or c.iat > iat
    then
        call('HSET', who.auth, 'seen', int(now), 'name', c.name,
             'iat', int(math.max(iat, c.iat)))
        call('EXPIRE', who.auth, int(USER_TTL))
    end

    who.id, who.name, who.subjects = c.id, c.name, c.subjects
    who.tenant, who.granted = set_of(c.tenant), set_of(c.granted)

    return true
end


local function caller(keys, text)
    local who = { auth = keys[1], gsub = keys[2], audit = keys[3], id = '',
                  name = '', verb = '', also = {}, subjects = {} }
    local c, known

    if text == '' then
        who.kind = 'gateway'
        return who
    end

    c = cjson.decode(text)

    for _, name in ipairs({ 'kind', 'verb', 'addr', 'rid', 'list', 'reads' })
    do
        who[name] = c[name]
    end

    who.text = text

    who.also = c.also or who.also

    if c.kind == 'key' then
        known = caller_key(who, now_s())

    elseif c.kind == 'user' and id_of(who.auth) == c.id then
        known = caller_user(who, c, now_s())

    else
        error('rs: "' .. text .. '" is no caller')
    end

    return known and who or nil
end


-- The grants of a caller, read when they are needed first.  A subject's are
-- lines of "<group or *> <consent or -> <verb> <verb>...".

local function grants(who)
    if who.grants then
        return who.grants
    end

    who.grants = {}

    for _, text in ipairs(#who.subjects > 0
                          and call('HMGET', who.gsub, unpack(who.subjects))
                          or {})
    do
        for group, consent, verbs in string.gmatch(text or '',
                                                   '(%S+) (%S+) ([^\n]*)\n')
        do
            table.insert(who.grants, { group = group, consent = consent,
                                       verbs = set_of(words(verbs)) })
        end
    end

    return who.grants
end


local function covers(grant, group)
    return grant.group == '*' or (group ~= '' and grant.group == group)
end


-- May he do this with all of the tenant?  What is minted (a key, a grant) has
-- nothing that its maker has not so.

local function allowed_wide(who, verb)
    return who.kind == 'gateway' or holds(who.tenant, verb)
end


-- May he do this with objects of a group?

local function allowed(who, verb, group)
    if allowed_wide(who, verb) then
        return true
    end

    if holds(who.granted, verb) then
        for _, grant in ipairs(grants(who)) do
            if covers(grant, group) and holds(grant.verbs, verb) then
                return true
            end
        end
    end

    return false
end


local function allowed_all(who, group)
    local all = allowed(who, who.verb, group)

    for _, verb in ipairs(who.also) do
        all = all and allowed(who, verb, group)
    end

    return all
end


-- nil: he may do what he came for with an object of this group; else the
-- reply.  read is the verb by which he would see it.

local function refused(who, group, read)
    if allowed_all(who, group) then
        return nil
    end

    return { allowed(who, read, group) and 'forbidden' or 'not_found' }
end


-- A session whose host is somebody's browser, or a rendered one, is in no group:
-- besides those who may it with all of the tenant it is the user's who made it.

local function refused_session(who, s)
    if s.kind == 'device' and (s.device_id == '' or s.host ~= '')
       and who.kind == 'user' and s.user_id == who.id
    then
        return nil
    end

    return refused(who, s.group_id, 'sessions:read')
end


-- Without looking at an object.  WIDE: the verbs are needed for the whole
-- tenant; ANYONE: none may do, the function sees to it.

local WIDE, ANYONE = 'wide', 'anyone'


local function refused_all(who, mode)
    local function held(verb)
        return holds(who.tenant, verb) or (mode == ANYONE and verb == '')
               or (mode ~= WIDE and holds(who.granted, verb))
    end

    local all = who.kind == 'gateway' or held(who.verb)

    for _, verb in ipairs(who.also) do
        all = all and (who.kind == 'gateway' or held(verb))
    end

    return not all and { 'forbidden' } or nil
end


-- The audit: a stream that only rs_audit_trim cuts.  who is the caller, or an
-- actor as a table of kind, id, name, addr and rid.

local AUDIT = { 'at', 'actor', 'actor_id', 'actor_name', 'verb', 'object',
                'outcome', 'reason', 'addr', 'rid', 'detail' }


-- At most so many bytes, and no part of a character.

local function cut(text, max)
    local n = math.min(#text, max)

    while n > 0 and n < #text and string.byte(text, n + 1) >= 128
          and string.byte(text, n + 1) < 192
    do
        n = n - 1
    end

    return string.sub(text, 1, n)
end


local function audit(key, who, line)
    local flat = {}

    line.at = int(now_s())
    line.actor, line.actor_id, line.actor_name = who.kind, who.id, who.name
    line.addr, line.rid = who.addr, who.rid

    for _, name in ipairs(AUDIT) do
        flat[#flat + 1] = name
        flat[#flat + 1] = cut(line[name] or '', AUDIT_TEXT)
    end

    call('XADD', key, '*', unpack(flat))
end


-- What came of a call.  "deny" is a refusal for want of a right, or of the
-- object; what was allowed and came to nothing has the error as its reason.

local function audit_reply(who, keys, reply)
    local code = reply[1]
    local deny = code == 'forbidden' or code == 'not_found'
    local id = keys[4] and id_of(keys[4]) or ''

    if who.kind == 'gateway' or who.verb == '' or who.list
       or (not deny and not who.reads and string.match(who.verb, ':read$'))
       or (reply[2] == 'repeated' and #reply == 3)
    then
        return
    end

    if not string.match(id, '^%l%l%l_%w+$') then
        id = ''
    end

    audit(who.audit, who, {
        verb = table.concat({ who.verb, unpack(who.also) }, ' '),
        object = who.object or id, outcome = deny and 'deny' or 'allow',
        reason = code == 'ok' and '' or code, detail = who.detail
    })
end


-- Without a mode the function itself asks refused() about its object.

local function guarded(fn, mode)
    return function(keys, args)
        local who, reply

        if #keys < 3 or #args < 1 then
            error('rs: auth, gsub, audit and a caller are wanted')
        end

        who = caller(keys, args[1])

        if not who then
            return { 'unauthenticated' }
        end

        -- before the object is looked at, so that one which is hidden costs
        -- no more than one which is not there

        if not mode and next(who.granted or {}) then
            grants(who)
        end

        reply = refused_all(who, mode)
                or fn({ unpack(keys, 4) }, { unpack(args, 2) }, who)

        audit_reply(who, keys, reply)

        return reply
    end
end


-- Envelopes

local function envelope(kind, tenant, ses, pos, from, to, id, body)
    return 'rs1 ' .. kind .. ' ' .. tenant .. ' ' .. ses .. ' ' .. pos .. ' '
           .. from .. ' ' .. to .. ' ' .. id .. '\n' .. body
end


-- To the one worker which owns the address.

local function tell(address, kind, key, ses, body)
    call('PUBLISH', 'rs:w:' .. worker_of(address),
         envelope(kind, names_of(key), ses, '-', '-', address, '-', body))
end


-- What consoles watch: who may see it decides the worker that a watcher is
-- at, by the group.  "<tenant> <what> <id or -> <group or -> <change>", what
-- is dev or ses; or who: rights have changed, each watcher is to be asked for
-- anew (rs_watch_check).

local watch = {}

function watch.tell(key, what, id, group, change)
    local tenant = string.match(key, '^rs:{([^}]*)}')

    call('PUBLISH', 'rs:watch',
         tenant .. ' ' .. what .. ' ' .. id .. ' '
         .. (group ~= '' and group or '-') .. ' ' .. change)
end


function watch.rights(key)
    watch.tell(key, 'who', '-', '', 'changed')
end


function watch.device(key, group, change)
    watch.tell(key, 'dev', id_of(key), group or '', change)
end


-- Events: what a tenant's readers (GET /events) and webhooks are told.
--
-- A stream of the tenant; an entry has the type (t), whether devices:read
-- (d), sessions:read (s) or tunnels:read (t) shows it (w), the group of it (g)
-- and its JSON (b), an object without "{" and id, which is the position.
-- docs/protocol/README.md, "Events", has them one by one.

local event = {
    max = 10000,                -- kept, about
    ttl = 604800,               -- s after the last one
    skip = 1000,                -- looked at by one call
    consent = { waiting = 'asked', given = 'given', denied = 'denied',
                timeout = 'timeout' }
}


-- fields: name, value, name, value, ...; nil and "" are null

function event.json(fields, n)
    local out = {}

    for i = 1, n, 2 do
        local value = fields[i + 1]

        out[#out + 1] = '"' .. fields[i] .. '":'
                        .. (type(value) == 'number' and int(value)
                            or value and value ~= '' and cjson.encode(value)
                            or 'null')
    end

    return '{' .. table.concat(out, ',') .. '}'
end


-- Is it a user of before version 6, whose rights know of no events?  What Redis
-- says of that has changed from version to version.

function event.forbidden(text)
    return string.find(text, 'NOPERM', 1, true)
           or string.find(text, 'ACL failure', 1, true)
           or string.find(text, "script can't", 1, true)
end


-- Without the right to write it there is no event, and all else is done.

function event.put(key, what, group, kind, ...)
    local tenant = string.match(key, '^rs:{([^}]*)}')
    local stream = 'rs:{' .. tenant .. '}:ev'
    local r

    r = redis.pcall('XADD', stream, 'MAXLEN', '~', int(event.max), '*',
                    't', kind, 'w', what, 'g', group or '', 'b',
                    '"type":"' .. kind .. '","at":' .. int(now_s())
                    .. ',"tenant":"' .. tenant .. '","data":'
                    .. event.json({ ... }, select('#', ...)) .. '}')

    if type(r) ~= 'table' or not r.err then
        call('EXPIRE', stream, int(event.ttl))

    elseif not event.forbidden(r.err) then
        error(r.err)
    end
end


function event.device(key, d, kind, reason)
    event.put(key, 'd', d.group_id, kind, 'device_id', id_of(key),
              'name', d.name, 'group_id', d.group_id, 'reason', reason)
end


function event.session(s, kind, ...)
    if s.kind == 'device' then
        event.put(s.key, 's', s.group_id, kind, 'session_id', s.id,
                  'device_id', s.device_id, 'group_id', s.group_id,
                  'external_id', s.external_id, ...)
    end
end


function event.state(s)
    event.session(s, 'session.state', 'state', s.state)
end


-- Of a recorder also that it records; one of the tenant's services says so
-- itself.

function event.participant(s, p, kind, reason)
    event.session(s, 'participant.' .. kind, 'participant_id', p.id,
                  'role', p.role, 'name', p.name,
                  'participant_external_id', p.external_id, 'reason', reason)

    if p.role == 'recorder' and p.id ~= s.rec_par then
        event.session(s, kind == 'joined' and 'recording.started'
                         or 'recording.stopped', 'participant_id', p.id,
                      'name', p.name, 'reason', reason)
    end
end


-- Positions: "<epoch>-<n>"

local function position(s)
    local e, n = string.match(s, '^(%d+)%-(%d+)$')

    if not e or #e > 15 or #n > 15 then
        return nil
    end

    return tonumber(e), tonumber(n)
end


local function older(a, b)
    local ae, an = position(a)
    local be, bn = position(b)

    return ae < be or (ae == be and an < bn)
end


-- Can the log be read on from this position?  It must be one that was given
-- out, and nothing after it may be trimmed.  A position of an earlier epoch
-- may be newer than what this server kept of that epoch.  One that is ahead
-- is none of a client's; of a worker it is one that a lost server gave out.

local function readable(s, pos, exists, ahead)
    local e = position(pos)

    if not e then
        return false
    end

    if s.pos == '' then
        return pos == '0-0' or ahead
    end

    if not exists or (s.trimmed ~= '' and older(pos, s.trimmed)) then
        return false
    end

    return ahead or e < tonumber(s.epoch) or not older(s.pos, pos)
end


local function entries(log, pos, count)
    local list = {}
    local found

    if count then
        found = call('XRANGE', log, '(' .. pos, '+', 'COUNT', int(count))

    else
        found = call('XRANGE', log, '(' .. pos, '+')
    end

    for i, e in ipairs(found) do
        local f = e[2]

        -- fields are written in one order: k, f, t, i, b
        list[i] = { e[1], f[2], f[4], f[6], f[8], f[10] }
    end

    return list
end


-- Sessions

local function session(key, now)
    local s = load_fields(key, SES)

    if s.kind == '' then
        return nil
    end

    s.tenant, s.id = names_of(key)

    if s.state ~= 'ended' and now >= tonumber(s.expires_at) then
        s.state = 'ended'
        s.ended_at = s.expires_at
        s.end_reason = 'expired'
    end

    if s.state == 'ended' then
        s.queue = ''
    end

    return s
end


local function session_obj(s)
    return object(s.id, s, SES, SES_OBJ)
end


local function session_dies(s)
    return int(tonumber(s.expires_at) + tonumber(s.retain_s))
end


-- The epoch goes up when another server than last time keeps the log.  A
-- primary gives itself a new id when its replicas are gone for long, and who
-- is connected does not learn of it: so the last few ids are kept, the newest
-- first, and one that was there already is no other server.

local function epoch(s, replid)
    if replid ~= ''
       and not string.find(' ' .. s.replid .. ' ', ' ' .. replid .. ' ', 1,
                           true)
    then
        s.epoch = int(tonumber(s.epoch) + 1)
        s.replid = string.match(string.sub(replid .. ' ' .. s.replid, 1,
                                           REPLIDS), '^(.-) *$')
        s.new_epoch = true
    end
end


local function entry_size(from, to, id, body)
    return LOG_ENTRY + #from + #to + #id + #body
end


-- Drops the oldest entries until the log has room again: a little more than
-- asked, so that not each message trims.  The newest entry stays.  A round
-- looks at twice as many entries as the one before, all rounds at about a
-- thousand, which is more than one message of the largest size displaces.

local function trim(s, log, limit)
    local goal = limit - math.floor(limit / 32)
    local round = TRIM_FIRST
    local bytes = s.bytes
    local from = '-'
    local last, keep

    while bytes > goal and round <= TRIM_LAST do
        local found = call('XRANGE', log, from, '+', 'COUNT', int(round))

        for _, e in ipairs(found) do
            local f = e[2]

            if e[1] == s.pos then
                -- nothing else is left: the count is exact again
                bytes = entry_size(f[4], f[6], f[8], f[10])
                keep = true
                break
            end

            if bytes <= goal then
                keep = true
                break
            end

            bytes = bytes - entry_size(f[4], f[6], f[8], f[10])
            last = e[1]
        end

        if keep or not last then
            break
        end

        from = '(' .. last
        round = round * 2
    end

    if last then
        local e, n = position(last)

        call('XTRIM', log, 'MINID', '=', int(e) .. '-' .. int(n + 1))
        s.bytes = bytes
        s.trimmed = last
        s.new_trimmed = true
    end
end


-- The control token: who may use mouse and keyboard.  One participant holds
-- it, or nobody; the others may have asked for it.  It is kept, and told, as
-- one JSON object; "" in a session of before version 5.

local control = {}

control.none = '{"holder":null,"requests":[],"locked":false}'


function control.of(s)
    local c = cjson.decode(s.control ~= '' and s.control or control.none)

    if c.holder == cjson.null then
        c.holder = ''
    end

    return c
end


function control.asked(c, id)
    for i, par in ipairs(c.requests) do
        if par == id then
            return i
        end
    end

    return nil
end


function control.forget(c, id)
    local i = control.asked(c, id)

    if i then
        table.remove(c.requests, i)
    end
end


function control.give(c, id)
    c.holder = id
    control.forget(c, id)
end


-- Nobody holds it: who asked first gets it, unless it is locked.

function control.next(c)
    if c.holder == '' and not c.locked and #c.requests > 0 then
        control.give(c, c.requests[1])
    end
end


-- Its JSON if it is another than before, which save() writes; else nil.

function control.put(s, c)
    local asked = {}
    local json

    for i, par in ipairs(c.requests) do
        asked[i] = cjson.encode(par)
    end

    json = '{"holder":' .. (c.holder ~= '' and cjson.encode(c.holder) or 'null')
           .. ',"requests":[' .. table.concat(asked, ',') .. '],"locked":'
           .. tostring(c.locked) .. '}'

    if json == s.control then
        return nil
    end

    s.control, s.new_control = json, true

    return json
end


-- A controller who comes takes it when nobody has it.

function control.joined(s, p)
    local c = control.of(s)

    if p.role ~= 'controller' or c.holder ~= '' or c.locked then
        return nil
    end

    control.give(c, p.id)

    return control.put(s, c)
end


function control.left(s, p)
    local c = control.of(s)

    control.forget(c, p.id)

    if c.holder == p.id then
        c.holder = ''
        control.next(c)
    end

    return control.put(s, c)
end


function control.body(s, op, by)
    return '{"type":"control",' .. string.sub(s.control, 2, -2)
           .. (op and ',"op":' .. cjson.encode(op) or '')
           .. (by and ',"by":' .. cjson.encode(by) or '') .. '}'
end


-- Appends one entry and tells each worker that owns a member, once.  The
-- caller saves the session afterwards.

local function append(s, log, workers, kind, from, to, id, body, limit)
    local first = s.pos == ''
    local text

    s.pos = call('XADD', log, s.epoch .. '-*', 'k', kind, 'f', from, 't', to,
                 'i', id, 'b', body)
    s.bytes = (s.bytes or tonumber(s.log_bytes))
              + entry_size(from, to, id, body)

    if first then
        call('EXPIREAT', log, session_dies(s))
    end

    if limit and s.bytes > limit then
        trim(s, log, limit)
    end

    text = envelope(kind, s.tenant, s.id, s.pos, from ~= '' and from or '-',
                    to ~= '' and to or '-', id ~= '' and id or '-', body)

    for _, worker in ipairs(workers) do
        call('PUBLISH', 'rs:w:' .. worker, text)
    end

    if kind ~= 'sig' then
        watch.tell(s.key, 'ses', s.id, s.group_id or '',
                   kind == 'end' and 'ended' or 'changed')
    end
end


-- Writes back what append() and epoch() changed, and the fields given.

local function save(s, ...)
    local set = { ... }

    if s.bytes then
        s.log_bytes = int(s.bytes)
        set[#set + 1] = 'pos'
        set[#set + 1] = s.pos
        set[#set + 1] = 'log_bytes'
        set[#set + 1] = s.log_bytes
    end

    if s.new_epoch then
        set[#set + 1] = 'epoch'
        set[#set + 1] = s.epoch
        set[#set + 1] = 'replid'
        set[#set + 1] = s.replid
    end

    if s.new_trimmed then
        set[#set + 1] = 'trimmed'
        set[#set + 1] = s.trimmed
    end

    if s.new_control then
        set[#set + 1] = 'control'
        set[#set + 1] = s.control
    end

    if #set > 0 then
        call('HSET', s.key, unpack(set))
    end
end


-- Members: the hash of addresses, as a table

local function members(mem)
    local flat = call('HGETALL', mem)
    local m = {}

    for i = 1, #flat, 2 do
        m[flat[i]] = flat[i + 1]
    end

    return m
end


-- How many others than this one are members?

local function others(m, id)
    local n = 0

    for field in pairs(m) do
        if string.sub(field, 1, 2) == 'a:' and field ~= 'a:' .. id then
            n = n + 1
        end
    end

    return n
end


-- The distinct workers of the members, in a fixed order.  Who changes the
-- members' addresses writes them down, so that append need not find them.

local function workers_of(mem, m)
    local seen, list = {}, {}

    for field, address in pairs(m) do
        if string.sub(field, 1, 2) == 'a:' and address ~= '' then
            local w = worker_of(address)

            if not seen[w] then
                seen[w] = true
                list[#list + 1] = w
            end
        end
    end

    table.sort(list)
    call('HSET', mem, 'w', table.concat(list, ' '))

    return list
end


local function workers_written(text)
    local list = {}

    for w in string.gmatch(text, '%S+') do
        list[#list + 1] = w
    end

    return list
end


-- Duties: what a worker has to see to in one tenant, kept where others find
-- it when the worker dies.  A sorted set of "d.<device>" and
-- "p.<session>.<participant>"; the score is the instant (ms) when somebody who
-- is away is lost, or, while he is here, not above 0: minus his grace in ms.

local function duty_device(dev)
    return 'd.' .. id_of(dev)
end


local function duty_participant(ses, par)
    return 'p.' .. id_of(ses) .. '.' .. par
end


local function duty_put(own, duty, score)
    call('ZADD', own, score, duty)
    call('EXPIRE', own, int(OWN_TTL))
end


-- The list must be the one of the worker that speaks.

local function duty_check(own, address)
    if id_of(own) ~= worker_of(address) then
        error('rs: "' .. own .. '" is not the list of "' .. address .. '"')
    end
end


-- Which worker has to see to a member: the one it is at, else the one that
-- knows when it is lost.

local function holder(m, id)
    local at = m['a:' .. id]

    if at and at ~= '' then
        return worker_of(at)
    end

    return at and m['o:' .. id]
end


-- Participants: JSON objects of strings, "path" being JSON inside a string

local function participant_put(par, p)
    local out = {}

    for i, name in ipairs(PAR) do
        out[i] = '"' .. name .. '":' .. cjson.encode(p[name])
    end

    call('HSET', par, p.id, '{' .. table.concat(out, ',') .. '}')
end


-- "moderator": 1 of whom the session is, and of a tenant's administrators;
-- before version 5 nobody was.  "guest": 1 of somebody who is no user, as far
-- as that is known; before version 8 it was not.

local function participant_read(text)
    local p = cjson.decode(text)

    p.moderator = p.moderator or ''
    p.guest = p.guest or ''

    return p
end


local function participant(par, id)
    local text = call('HGET', par, id)

    return text and participant_read(text)
end


local function participants(par)
    local flat = call('HGETALL', par)
    local list = {}

    for i = 2, #flat, 2 do
        list[#list + 1] = participant_read(flat[i])
    end

    table.sort(list, function(a, b)
        return tonumber(a.seq) < tonumber(b.seq)
    end)

    return list
end


-- A session that is over has nobody in it, whatever was written last.

local function participant_obj(s, p)
    if s.state == 'ended' and (p.state == 'joined' or p.state == 'away') then
        p.state = 'left'
        p.left_at = s.ended_at
    end

    return object(p.id, p, { select(2, unpack(PAR)) }, PAR_OBJ - 1)
end


local function participant_objs(s, list)
    local out = {}

    for i, p in ipairs(list) do
        out[i] = participant_obj(s, p)
    end

    return out
end


local function participant_new(id, role, name, external_id, seq, til)
    return { id = id, role = role, name = name, external_id = external_id,
             state = 'invited', joined_at = '', left_at = '', path = '',
             moderator = '', guest = '', seq = int(seq), ['until'] = til }
end


-- Who is no user?  Whom a user lets in by another name than his own, and whom
-- an API key says so of.

function control.guest(who, external_id, said)
    if who.kind == 'user' then
        return external_id ~= who.id
    end

    return said == true
end


-- Is the one who is asked for here the moderator?  A user is, in a session of
-- his own, and an administrator in each.  An API key acts for somebody: the
-- first controller it asks for in a session of its own is it, and each that is
-- nobody by name, for that is the asker (whose place may have been lost).

function control.moderates(who, s, list, role, name, external_id)
    if who.kind == 'user' then
        return external_id == who.id
               and (s.user_id == who.id
                    or (who.tenant['sessions:write'] or false))
    end

    if role ~= 'controller' or s.key_id ~= who.id then
        return false
    end

    for _, p in ipairs(list) do
        if p.role == 'controller' then
            return name == '' and external_id == ''
        end
    end

    return true
end


-- Who takes up a place: members, and the invited whose ticket still counts.

local function places(list, now, recorder)
    local n = 0

    for _, p in ipairs(list) do
        if p.id ~= recorder
           and (p.state == 'joined' or p.state == 'away'
                or (p.state == 'invited' and tonumber(p['until']) > now))
        then
            n = n + 1
        end
    end

    return n
end


local function ticket_put(tkt, ses, par, ttl, dev)
    call('HSET', tkt, 'ses', ses, 'par', par)

    if dev then
        call('HSET', tkt, 'dev', dev)
    end

    call('EXPIRE', tkt, int(number(ttl)))
end


-- Who left by himself or was lost does not come back as the same participant:
-- the TURN plugins were told that he is gone, and do not forget it.

local GONE = '0'


local function gone(p)
    return p.state == 'left' and p['until'] == GONE
end


-- A new ticket for a participant who has one already, used or not.

local function ticket_again(s, par, p, tkt, ttl, now)
    if gone(p) then
        return
    end

    ticket_put(tkt, s.id, p.id, ttl)
    p['until'] = int(now + number(ttl))
    participant_put(par, p)
end


-- held: the JSON of control when it changed with this, else nil

local function joined_body(p, held)
    return '{"type":"joined","peer":{"id":' .. cjson.encode(p.id)
           .. ',"role":' .. cjson.encode(p.role)
           .. ',"name":' .. (p.name ~= '' and cjson.encode(p.name) or 'null')
           .. ',"state":' .. cjson.encode(p.state)
           .. ',"guest":' .. tostring(p.guest == '1') .. '}'
           .. (held and ',"control":' .. held or '') .. '}'
end


local function left_body(id, reason, held)
    return '{"type":"left","peer":' .. cjson.encode(id)
           .. ',"reason":' .. cjson.encode(reason)
           .. (held and ',"control":' .. held or '') .. '}'
end


-- moved: the renderer is another one, and that is told

local function state_body(s, peer, path, moved)
    return '{"type":"state","session_state":' .. cjson.encode(s.state)
           .. (s.host ~= '' and ',"queue":'
               .. (s.queue ~= '' and s.queue or 'null') or '')
           .. (moved and ',"host":' .. string.sub(s.host, 1, -2)
               .. ',"device_id":' .. cjson.encode(s.device_id) .. '}' or '')
           .. ((s.rec_state or '') ~= ''
               and ',"recording":' .. cjson.encode(s.rec_state) or '')
           .. (peer and ',"peer":' .. cjson.encode(peer) or '')
           .. (path and ',"path":' .. path or '') .. '}'
end


-- TURN: what the plugins beside the TURN servers follow.  Each change is
-- told once on one channel; the two sorted sets are for who was not listening.

local relay = {}


function relay.tell(kind, s, ...)
    call('PUBLISH', 'rs:turn',
         table.concat({ kind, s.tenant, s.id, ... }, ' '))
end


-- Entries by the instant (s) they are over.  Those that are go, a bounded
-- number of them; the set lives as long as the last.

function relay.put(set, member, til, now)
    local old = call('ZRANGE', set, '-inf', int(now), 'BYSCORE', 'LIMIT', '0',
                     int(INDEX_TRIM))

    if #old > 0 then
        call('ZREM', set, unpack(old))
    end

    call('ZADD', set, til, member)
    call('EXPIREAT', set,
         call('ZRANGE', set, '-1', '-1', 'WITHSCORES')[2])
end


function relay.member(s)
    return s.id .. '.' .. (s.host_par ~= '' and s.host_par or '-')
end


function relay.live(turn, s, now)
    relay.put(turn, relay.member(s), s.expires_at, now)
    relay.tell('live', s, s.expires_at, s.host_par ~= '' and s.host_par or '-')
end


function relay.over(turn, s)
    call('ZREM', turn, relay.member(s))
    relay.tell('end', s, s.expires_at)
end


function relay.revoke(trev, s, par, now)
    relay.put(trev, s.id .. '.' .. par, s.expires_at, now)
    relay.tell('rev', s, par, s.expires_at)
end


-- Of a session that ends: who records is told by its log, who was only asked in
-- has to be told.

function recording.over(s, reason)
    if s.rec_state == '' then
        return
    end

    if s.rec_state == 'on' then
        recording.stopped(s, reason)

    elseif s.rec_invited ~= '' then
        tell(s.rec_invited, 'rvk', s.key, s.id, reason)
    end

    s.rec_state = 'off'
    call('HSET', s.key, 'rec_state', s.rec_state)
end


function recording.stopped(s, reason)
    event.session(s, 'recording.stopped', 'recording_id', s.rec_id,
                  'recorder_id', s.rec_dev, 'reason', reason)
end


-- Ends a session for all: the log says so, the members' workers are told,
-- and so are the TURN plugins, and a device that was asked in and has not
-- come.  The caller has written down who is gone already.

local function finish(s, workers, keys, host_came, now, reason, detail, limit)
    local dies = int(now + tonumber(s.retain_s))

    event.session(s, 'session.ended', 'end_reason', reason, 'end_detail',
                  detail)
    append(s, keys.log, workers, 'end', '', '', '',
           '{"type":"ended","reason":' .. cjson.encode(reason) .. '}', limit)

    s.state = 'ended'
    recording.over(s, reason)
    save(s, 'state', 'ended', 'ended_at', int(now), 'end_reason', reason,
         'end_detail', detail)

    if s.invited ~= '' and not host_came then
        tell(s.invited, 'rvk', s.key, s.id, reason)
    end

    call('EXPIREAT', s.key, dies)
    call('EXPIREAT', keys.par, dies)
    call('EXPIREAT', keys.mem, dies)
    call('EXPIREAT', keys.log,
         int(now + math.min(LOG_KEEP, tonumber(s.retain_s))))

    relay.over(keys.turn, s)
end


-- Idempotency: nil to go on, or the reply.  Second result: it is our own
-- record, of this very id.

local function repeated(idem, hash, id)
    local h

    if hash == '' then
        return nil, false
    end

    h = call('HMGET', idem, 'body', 'id')

    if not h[1] then
        return nil, false
    end

    if h[1] ~= hash then
        return { 'idempotency_mismatch' }
    end

    if h[2] ~= id then
        return { 'ok', 'repeated', h[2] }
    end

    return nil, true
end


local function remember(idem, hash, id)
    if hash ~= '' then
        call('HSET', idem, 'body', hash, 'id', id)
        call('EXPIRE', idem, int(IDEM_TTL))
    end
end


-- Removes index entries below the score, the oldest ones and a bounded
-- number of them.

local function index_trim(index, below)
    local old = call('ZRANGE', index, int(INDEX_FIRST), '(' .. int(below),
                     'BYSCORE', 'LIMIT', '0', int(INDEX_TRIM))

    if #old > 0 then
        call('ZREM', index, unpack(old))
    end
end


-- Library

-- rs_version
-- KEYS: none.  ARGV: none.
-- ok: version, the oldest version of callers that is served.  O(1)

function lib.rs_version(keys, args)
    check(keys, 0, args, 0)

    return { 'ok', int(VERSION), int(SERVES) }
end


do

-- rs_lease
-- KEYS: lease, dead, fleet, node, ten.
-- ARGV: worker, ttl_ms, beacon, identity, walked.
-- ok: now_ms, {live worker...}, held|taken|node_taken, dead worker or empty,
--     since_ms; publishes bcn to the worker's own channel.  O(workers)
--
-- node_taken: another node of this name is live; nothing is done.  taken: the
-- lease is new or had run out long enough to be called dead.
--
-- Leases that have run out make their workers dead.  One of the dead is given
-- to the caller, who walks its duties and says so in "walked" from then on
-- ("-": it wants none); a claim that is not renewed is another's.  When nobody
-- called for half a lease, the server was away or the whole fleet was: all
-- have one more lease before any of them is called dead.  So they have when
-- the clock went back, and none has more.

local function lease_bury(lease, dead, now)
    local found = call('ZRANGE', lease, '-inf', int(now), 'BYSCORE', 'LIMIT',
                       '0', int(DEAD_STEP), 'WITHSCORES')

    for i = 1, #found, 2 do
        call('ZADD', dead, found[i + 1], found[i])
        call('ZREM', lease, found[i])
    end
end


-- The server's clock may go back, by itself or because another server is the
-- primary: leases and claims of the time before would last that much longer.

local function lease_rewind(key, last)
    for _, worker in ipairs(call('ZRANGE', key, '(' .. int(last), '+inf',
                                 'BYSCORE', 'LIMIT', '0', int(LEASES_MAX)))
    do
        call('ZADD', key, int(last), worker)
    end
end


local function lease_claim(dead, now, walked)
    local found, worker, since

    if walked == '' then
        found = call('ZRANGE', dead, '-inf', int(now), 'BYSCORE', 'LIMIT',
                     '0', '1', 'WITHSCORES')
        worker, since = found[1], found[2]

    elseif walked ~= '-' and call('ZSCORE', dead, walked) then
        worker, since = walked, '0'
    end

    if not worker then
        return '', '0'
    end

    call('ZADD', dead, int(now + CLAIM), worker)

    return worker, since
end


function lib.rs_lease(keys, args)
    local lease, dead, fleet, node, ten = unpack(keys)
    local worker, ttl = args[1], number(args[2] or '')
    local now, id, held, f, wait, claimed, since, live

    check(keys, 5, args, 5)

    now = now_ms()
    id = call('HGET', node, 'id')

    if id and id ~= args[4] then
        return { 'ok', int(now), {}, 'node_taken', '', '0' }
    end

    call('HSET', node, 'id', args[4])
    call('PEXPIRE', node, int(ttl))

    held = call('ZSCORE', lease, worker) and 'held' or 'taken'

    call('ZADD', lease, int(now + ttl), worker)
    call('ZREM', dead, worker)
    call('EXPIRE', ten, int(OWN_TTL))

    f = call('HMGET', fleet, 'seen', 'wait')
    wait = tonumber(f[2] or '0')

    if not f[1] or math.abs(now - tonumber(f[1])) > ttl / 2 then
        wait = now + ttl
    end

    if f[1] and tonumber(f[1]) - now > ttl / 2 then
        lease_rewind(lease, now + ttl)
        lease_rewind(dead, now + CLAIM)
    end

    call('HSET', fleet, 'seen', int(now), 'wait', int(wait))

    if now >= wait then
        lease_bury(lease, dead, now)
    end

    claimed, since = lease_claim(dead, now, args[5])

    live = call('ZRANGE', lease, '(' .. int(now), '+inf', 'BYSCORE',
                'LIMIT', '0', int(LEASES_MAX))

    call('PUBLISH', 'rs:w:' .. worker,
         envelope('bcn', '-', '-', '-', '-', '-', args[3], ''))

    return { 'ok', int(now), live, held, claimed, since }
end


-- rs_lease_drop
-- KEYS: lease, dead, node, ten.  ARGV: worker, identity, walked.
-- ok.  The worker is dead at once, and whom it walks is another's; the last
--     one of a node gives back its name.  All live workers are told, with a
--     bcn of number 0.  O(workers)

function lib.rs_lease_drop(keys, args)
    local lease, dead, node, ten = unpack(keys)
    local worker = args[1]
    local last = true
    local now, name

    check(keys, 4, args, 3)

    now = now_ms()
    call('ZREM', lease, worker)

    if call('ZSCORE', dead, args[3]) then
        call('ZADD', dead, int(now), args[3])
    end

    if call('EXISTS', ten) == 1 then
        call('ZADD', dead, int(now), worker)
    end

    name = id_of(node) .. '.'

    for _, live in ipairs(call('ZRANGE', lease, '(' .. int(now), '+inf',
                               'BYSCORE', 'LIMIT', '0', int(LEASES_MAX)))
    do
        last = last and string.sub(live, 1, #name) ~= name
        call('PUBLISH', 'rs:w:' .. live,
             envelope('bcn', '-', '-', '-', '-', '-', '0', ''))
    end

    if last and call('HGET', node, 'id') == args[2] then
        call('DEL', node)
    end

    return { 'ok' }
end

end


-- rs_tenant
-- KEYS: ten.  ARGV: tenant...
-- ok.  Before the worker has its first duty in a tenant.  O(log tenants)

function lib.rs_tenant(keys, args)
    check(keys, 1, args, math.max(#args, 1))

    for _, tenant in ipairs(args) do
        call('ZADD', keys[1], '0', tenant)
    end

    call('EXPIRE', keys[1], int(OWN_TTL))

    return { 'ok' }
end


-- rs_reap_tenant
-- KEYS: ten, dead.  ARGV: dead worker, tenant that is done or empty.
-- ok: next, tenant; or none: the worker is no longer among the dead; or back:
--     it has come back.  O(log tenants)

function lib.rs_reap_tenant(keys, args)
    local found

    check(keys, 2, args, 2)

    if not call('ZSCORE', keys[2], args[1]) then
        return { 'ok', 'back', '' }
    end

    if args[2] ~= '' then
        call('ZREM', keys[1], args[2])
    end

    found = call('ZRANGE', keys[1], '0', '0')

    if found[1] then
        return { 'ok', 'next', found[1] }
    end

    call('ZREM', keys[2], args[1])

    return { 'ok', 'none', '' }
end


-- rs_duties
-- KEYS: own.  ARGV: which (all or due), count.
-- ok: now_ms, {duty...} at most count and 100, the instant (ms) when the next
--     one is due or empty.  O(log duties + count)

function lib.rs_duties(keys, args)
    local count = number(args[2] or '')
    local now, found, first

    check(keys, 1, args, 2)

    now = now_ms()
    count = math.max(1, math.min(count, DUTIES_MAX))

    if args[1] == 'all' then
        found = call('ZRANGE', keys[1], '0', int(count - 1))

    else
        found = call('ZRANGE', keys[1], '(0', int(now), 'BYSCORE', 'LIMIT',
                     '0', int(count))
    end

    first = call('ZRANGE', keys[1], '(' .. int(now), '+inf', 'BYSCORE',
                 'LIMIT', '0', '1', 'WITHSCORES')

    return { 'ok', int(now), found, first[2] or '' }
end


-- rs_own_keep
-- KEYS: own.  ARGV: none.
-- ok.  The worker lives: so does its list, though nothing is written.  O(1)

function lib.rs_own_keep(keys, args)
    check(keys, 1, args, 0)

    call('EXPIRE', keys[1], int(OWN_TTL))

    return { 'ok' }
end


-- rs_auth, guarded
-- KEYS: none.  ARGV: none.
-- ok: id, name, {verb...} for the whole tenant, {verb...} where a grant says
--     so ("*": all of a tenant's), {{group or *, consent or -, verb...}...},
--     the grants.  With a verb it is only asked whether that one is held.
-- O(verbs + grants)

local function names_in(set)
    local list = {}

    for name in pairs(set or {}) do
        list[#list + 1] = name
    end

    table.sort(list)

    return list
end


function lib.rs_auth(keys, args, who)
    local list = {}

    check(keys, 0, args, 0)

    for i, grant in ipairs(who.verb == '' and grants(who) or {}) do
        list[i] = { grant.group, grant.consent,
                    unpack(names_in(grant.verbs)) }
    end

    return { 'ok', who.id, who.name, names_in(who.tenant),
             names_in(who.granted), list }
end


-- An object of a hash of objects.  The list of API keys of before version 4
-- has the hash of a key alone.

local function entry_read(text)
    return string.sub(text, 1, 1) == '{' and cjson.decode(text)
           or { hash = text }
end


local function entry(hash, id)
    local text = call('HGET', hash, id)

    return text and entry_read(text)
end


-- API keys: the record by the hash of the key, and by id in the tenant's list.

local function key_put(key, keys, id, name, scopes, granted, expires_at)
    local k = { hash = id_of(key), name = name, scopes = scopes,
                created_at = int(now_s()), granted = granted,
                expires_at = expires_at }
    local out = {}

    call('HSET', key, 'id', id, 'name', name, 'scopes', scopes,
         'created_at', k.created_at, 'granted', granted,
         'expires_at', expires_at)

    if keys then
        for i, field in ipairs({ 'hash', unpack(KEY_OBJ) }) do
            out[i] = '"' .. field .. '":' .. cjson.encode(k[field])
        end

        call('HSET', keys, id, '{' .. table.concat(out, ',') .. '}')
    end

    return k
end


-- rs_key_put
-- KEYS: key, or key and keys.
-- ARGV: id, name, scopes, granted (1 or empty), expires_at or empty.
-- ok.  Errors: limit_reached (keys of the tenant).  O(1)
--
-- Without keys, the list of the tenant's keys, the key works but is not
-- listed.

function lib.rs_key_put(keys, args)
    check(keys, math.max(1, math.min(#keys, 2)), args, 5)

    if keys[2] and call('HLEN', keys[2]) >= KEYS_MAX
       and call('HEXISTS', keys[2], args[1]) == 0
    then
        return { 'limit_reached' }
    end

    key_put(keys[1], keys[2], unpack(args))
    watch.rights(keys[1])

    return { 'ok' }
end


-- rs_key_delete
-- KEYS: key, or key and keys.  ARGV: none.
-- ok.  Errors: not_found.  O(1)

function lib.rs_key_delete(keys, args)
    local id

    check(keys, math.max(1, math.min(#keys, 2)), args, 0)

    id = call('HGET', keys[1], 'id')

    if not id then
        return { 'not_found' }
    end

    call('DEL', keys[1])

    if keys[2] then
        call('HDEL', keys[2], id)
    end

    watch.rights(keys[1])

    return { 'ok' }
end


-- rs_key_list
-- KEYS: keys.  ARGV: none.
-- ok: {{key id, hash}...}.  O(keys of the tenant, at most 1000)

function lib.rs_key_list(keys, args)
    local flat, list

    check(keys, 1, args, 0)

    flat = call('HGETALL', keys[1])
    list = {}

    for i = 1, #flat, 2 do
        list[#list + 1] = { flat[i], entry_read(flat[i + 1]).hash }
    end

    table.sort(list, function(a, b)
        return a[1] < b[1]
    end)

    return { 'ok', list }
end


-- rs_key_get
-- KEYS: key.  ARGV: none.
-- ok: key obj.  Errors: not_found.  O(1)

function lib.rs_key_get(keys, args)
    local k

    check(keys, 1, args, 0)

    k = load_fields(keys[1], KEY)

    if k.id == '' then
        return { 'not_found' }
    end

    return { 'ok', object(k.id, k, KEY, #KEY - 1) }
end


-- rs_index_list, guarded
-- KEYS: index.  ARGV: cursor, limit.
-- ok: next cursor, {id...}, newest first.
-- Errors: invalid_value (the cursor).
-- O(log n + limit)
--
-- A cursor is "<score>.<id>" of the last entry given.  When that entry is
-- gone the list goes on after the place where it stood.  Who may not see all
-- of the tenant gets "<score>.<n>", n entries of this score given, for the
-- last one may be hidden from him; of one ms, he may miss an entry when
-- another one goes away between the pages.

function lib.rs_index_list(keys, args, who)
    local limit, start, score, id, rank, found, ids, last
    local wide = allowed_wide(who, who.verb)
    local given, at = 0, nil

    check(keys, 1, args, 2)

    limit = math.max(1, math.min(number(args[2]), PAGE_MAX))
    start = 0

    if args[1] ~= '' then
        score, id = string.match(args[1], '^(%d+)%.([a-z0-9_]+)$')
        if not score or #score > 15 then
            return { 'invalid_value' }
        end

        rank = call('ZREVRANK', keys[1], id)
        start = rank and rank + 1
                or call('ZCOUNT', keys[1], '(' .. score, '+inf')

        if string.match(id, '^%d+$') then
            if #id > 9 then
                return { 'invalid_value' }
            end

            given, at = tonumber(id), score
            start, rank = start + given, true
        end
    end

    found = call('ZRANGE', keys[1], int(start),
                 int(start + limit + (rank and 0 or TIES_MAX)), 'REV',
                 'WITHSCORES')
    ids = {}

    for i = 1, #found, 2 do
        local passed = score and not rank and found[i + 1] == score
                       and found[i] > id

        if tonumber(found[i + 1]) < INDEX_FIRST then
            break
        end

        if not passed then
            if #ids == limit then
                return { 'ok', last, ids }
            end

            ids[#ids + 1] = found[i]
            given = found[i + 1] == at and given + 1 or 1
            at = found[i + 1]
            last = at .. '.' .. (wide and found[i] or int(given))
        end
    end

    return { 'ok', '', ids }
end


-- rs_session_create, guarded
-- KEYS: ses, par, mem, log, idem, sess, dev, dses, turn, grps, pols, uses,
--       tkt..., svcs, rses (a caller of before version 8 gives none of the
--       last two).
-- ARGV: replid, ses id, device id, ttl_s, retain_s, max_par, body hash,
--       relay_only (1 or 0), consent or empty, external_id, reason, metadata,
--       host par id, quota of live sessions, desktop, n,
--       n x (par id, role, name, external_id, ticket ttl_s), web (since version
--       8 only)
--       desktop: view_only (1 or 0), clipboard, files, sound (1 or 0),
--       recording (or -), recorder_lost (or -), by spaces; a caller of before
--       version 8 gives the first four.
--       An empty device id: the host is a browser, which is let in by a code
--       (rs_help_create); owner is empty then, and nobody is invited.
--       web: JSON of what is only asked for from version 8 on, or empty:
--       "guests", an array with true for each participant who is a guest
--       though an API key asks for him; "host", of a session whose host is a
--       browser of the renderer that device id names ("": none was found),
--       and then "urls", "mask", "no_submit" and "downloads" of its policy.
--       A session that is to be kept gets a recorder of svcs, which is told
--       as the device is.
-- ok: created|repeated, now_s, owner, session obj, id of the caller,
--     {participant obj...}; or repeated, id of the first session.
--     Publishes inv, and live to the TURN plugins.
-- Errors: idempotency_mismatch, session_ended, participants_full, not_found,
--         device_offline, limit_reached, forbidden (with "recording": a policy
--         says off), invalid_value (the device is a service), renderers_full,
--         recorder_offline.
-- O(n + log sessions + grants of the caller)

local function session_again(s, par, tkts, ttls, who, now)
    local list = {}

    for id in string.gmatch(s.asked, '%S+') do
        list[#list + 1] = participant(par, id)
    end

    if #list ~= #tkts then
        return { 'idempotency_mismatch' }
    end

    for i, p in ipairs(list) do
        ticket_again(s, par, p, tkts[i], ttls[i], now)
    end

    return { 'ok', 'repeated', int(now), s.invited, session_obj(s),
             who.id, participant_objs(s, list) }
end


-- The policy a session has is the strictest of what is asked for, of the
-- caller's grants that let him in, of the group's and of the tenant's.

local CONSENT = { none = 1, notify = 2, required = 3 }


local function stricter(p, consent, relay_only, max_ttl)
    if (CONSENT[consent] or 0) > CONSENT[p.consent] then
        p.consent = consent
    end

    p.relay_only = p.relay_only or relay_only == '1'

    if (max_ttl or '') ~= '' then
        p.ttl = math.min(p.ttl, tonumber(max_ttl))
    end
end


-- What goes to the device and what comes from it: what both let through.

local WAYS = { both = true, to_device = true, from_device = true,
               none = true }


local function narrower(a, b)
    if (b or '') == '' or b == 'both' or a == b then
        return a
    end

    return a == 'both' and b or 'none'
end


local function narrow(p, o)
    p.view_only = p.view_only or o.view_only == '1'
    p.clipboard = narrower(p.clipboard, o.clipboard)
    p.files = narrower(p.files, o.files)
    p.sound = p.sound and o.sound ~= '0'
end


-- Is the session kept?  A policy that says "required" wins, then one that says
-- "off", then "optional": who asks for more than a policy lets him is refused.
-- A recorder that is lost ends the session, unless all who require one say that
-- it is to be marked.
--
-- "-": nothing is said

function recording.word(text, known)
    if text == '-' or text == '' then
        return ''
    end

    if not known[text or ''] then
        error('rs: "' .. tostring(text) .. '" is nothing to say of recording')
    end

    return text
end


function recording.add(p, o, by)
    local what = o.recording or ''

    if what == 'required' then
        p.lost = (p.lost or 'mark') == 'mark' and o.recorder_lost == 'mark'
                 and 'mark' or 'end'
    end

    if what ~= '' then
        p[by][what] = true
    end
end


-- What comes of it; nil: more is asked for than may be.

function recording.merged(p)
    local says, asks = p.says, p.asks

    if says.required then
        return 'required'
    end

    if says.off then
        return not asks.optional and not asks.required and 'off' or nil
    end

    return asks.required and 'required' or asks.off and 'off'
           or (asks.optional or says.optional) and 'optional' or 'off'
end


local function desktop(text)
    local o, rest = {}, nil

    o.view_only, o.clipboard, o.files, o.sound, rest =
        string.match(text, '^([01]) ([%l_]+) ([%l_]+) ([01])(.*)$')

    o.recording, o.recorder_lost = string.match(rest or '', '^ (%S+) (%S+)$')

    if not o.sound or not WAYS[o.clipboard] or not WAYS[o.files]
       or (rest ~= '' and not o.recording)
    then
        error('rs: "' .. text .. '" is not what a session may carry')
    end

    o.recording = recording.word(o.recording or '-', recording.kinds)
    o.recorder_lost = recording.word(o.recorder_lost or '-',
                                     recording.losses)

    return o
end


local function granted_policy(p, who, group)
    for _, grant in ipairs(grants(who)) do
        local used = holds(grant.verbs, who.verb)

        for _, verb in ipairs(who.also) do
            used = used or holds(grant.verbs, verb)
        end

        if used and covers(grant, group) then
            stricter(p, grant.consent)
        end
    end
end


-- Who comes into a session that is there is bound by his grants, too: into one
-- with less consent than they want he lets nobody, himself included.

local function too_lax(s, who)
    local has, p

    -- nobody is at a rendered browser who could be asked

    if s.host ~= '' then
        return nil
    end

    has = cjson.decode(s.policy).consent or 'none'
    p = { consent = has }

    granted_policy(p, who, s.group_id)

    return p.consent ~= has and { 'forbidden' } or nil
end


-- What a rendered session may show: addresses that match one rule of each list
-- there is, no element that a mask matches, no forms sent by who is no guest
-- if one says so, no downloads if one says so.

local page = {
    downloads = { both = true, none = true }
}


function page.list(items)
    local out = {}

    for i, item in ipairs(items) do
        out[i] = cjson.encode(item)
    end

    return '[' .. table.concat(out, ',') .. ']'
end


function page.add(p, o)
    local urls, mask = o.urls or {}, o.mask or {}

    if #urls > 0 then
        p.urls[#p.urls + 1] = page.list(urls)
    end

    for _, selector in ipairs(mask) do
        if not p.masked[selector] then
            p.masked[selector] = true
            p.mask[#p.mask + 1] = selector
        end
    end

    p.no_submit = p.no_submit or o.no_submit == true or o.no_submit == '1'
    p.none = p.none or o.downloads == 'none'
end


-- o: a policy as it is stored, its lists being JSON

function page.stored(o)
    return { urls = (o.urls or '') ~= '' and cjson.decode(o.urls) or {},
             mask = (o.mask or '') ~= '' and cjson.decode(o.mask) or {},
             no_submit = o.no_submit, downloads = o.downloads }
end


function page.json(p)
    return ',"urls":[' .. table.concat(p.urls, ',') .. '],"mask":'
           .. page.list(p.mask) .. ',"no_submit":' .. tostring(p.no_submit)
           .. ',"downloads":"' .. (p.none and 'none' or 'both') .. '"'
end


local function session_policy(who, group, grps, pols, asked)
    local p = { consent = 'none', relay_only = false, ttl = asked.ttl,
                view_only = false, clipboard = 'both', files = 'both',
                sound = true, says = {}, asks = {}, urls = {}, mask = {},
                masked = {}, no_submit = false, none = false }
    local g = group ~= '' and entry(grps, group)

    stricter(p, asked.consent, asked.relay_only)
    narrow(p, asked.desktop)
    page.add(p, asked.page)
    recording.add(p, asked.desktop, 'asks')

    for _, name in ipairs({ 'default', g and g.policy or '' }) do
        local o = name ~= '' and entry(pols, name)

        if o then
            stricter(p, o.consent, o.relay_only, o.max_ttl_s)
            narrow(p, o)
            page.add(p, page.stored(o))
            recording.add(p, o, 'says')
        end
    end

    granted_policy(p, who, group)

    if asked.rendered then
        p.consent = 'none'
    end

    p.recording = recording.merged(p)

    if not p.recording then
        return nil, { 'forbidden', 'recording' }
    end

    p.json = '{"relay_only":' .. tostring(p.relay_only) .. ',"consent":"'
             .. p.consent .. '","view_only":' .. tostring(p.view_only)
             .. ',"clipboard":"' .. p.clipboard .. '","files":"' .. p.files
             .. '","sound":' .. tostring(p.sound)
             .. (p.recording ~= 'off' and ',"recording":"' .. p.recording .. '"'
                 or '')
             .. (p.recording == 'required'
                 and ',"recorder_lost":"' .. p.lost .. '"' or '')
             .. (asked.rendered and page.json(p) or '') .. '}'

    return p
end


-- An object's group must be one there is, and one the caller may use; so is
-- no group, which is beyond the grants of all others, too.

local function no_group(who, grps, group)
    local may = allowed_all(who, group)

    if group ~= '' and (not may or call('HEXISTS', grps, group) == 0) then
        return { 'not_found', 'group_id' }
    end

    return not may and { 'forbidden', 'group_id' } or nil
end


-- A list of sessions by the instant (s) they end: room for one more?  The
-- list lives as long as the last of them.

local function sessions_full(set, now)
    call('ZREMRANGEBYSCORE', set, '-inf', int(now))

    return call('ZCARD', set) >= DSES_MAX
end


local function sessions_put(set, id, expires)
    call('ZADD', set, int(expires), id)
    call('EXPIREAT', set, call('ZRANGE', set, '-1', '-1', 'WITHSCORES')[2])
end


-- A quota of the operator's, 0 being none.

local function over(quota, n)
    return number(quota) > 0 and n >= number(quota)
end


-- Whose session it is and where; the sessions of one recorder, as texts.

function recording.listed(rses, dev, now)
    local list = {}

    for id, til in string.gmatch(call('HGET', rses, dev) or '',
                                 '([^@ ]+)@(%d+)')
    do
        if tonumber(til) > now then
            list[#list + 1] = { id = id, til = til }
        end
    end

    return list
end


function recording.given(rses, dev, now)
    local list = recording.listed(rses, dev, now)

    for i, e in ipairs(list) do
        list[i] = e.id
    end

    return list
end


function recording.write(rses, dev, list)
    local out = {}

    for i, e in ipairs(list) do
        out[i] = e.id .. '@' .. e.til
    end

    if #out > 0 then
        call('HSET', rses, dev, table.concat(out, ' '))
    else
        call('HDEL', rses, dev)
    end
end


function recording.detach(rses, dev, ses, now)
    local list, left = recording.listed(rses, dev, now), {}

    for _, e in ipairs(list) do
        if e.id ~= ses then
            left[#left + 1] = e
        end
    end

    recording.write(rses, dev, left)
end


-- The recorder with the most free places, or nil.  Of one that is removed
-- nothing stays once its sessions were given away, or are over.

function recording.pick(svcs, rses, now, except)
    local flat = call('HGETALL', svcs)
    local seen = {}
    local best

    for i = 1, #flat, 2 do
        local e = service.read(flat[i + 1], now)

        seen[flat[i]] = true

        if e and e.kind == 'recorder' and e.owner ~= '' and flat[i] ~= except
        then
            e.id, e.room = flat[i], service.room(e) or 0

            if e.room > 0
               and #recording.listed(rses, e.id, now) < recording.most
               and (not best or e.room > best.room
                    or (e.room == best.room and e.id < best.id))
            then
                best = e
            end
        end
    end

    flat = call('HGETALL', rses)

    for i = 1, #flat, 2 do
        if not seen[flat[i]] and #recording.listed(rses, flat[i], now) == 0
        then
            call('HDEL', rses, flat[i])
        end
    end

    return best
end


-- It is asked in: its worker draws the ticket.

function recording.give(s, svcs, rses, r, now)
    local list = recording.listed(rses, r.id, now)

    list[#list + 1] = { id = s.id, til = s.expires_at }
    recording.write(rses, r.id, list)
    service.give(svcs, r.id, r, s.id, now)

    s.rec_dev, s.rec_invited, s.rec_par = r.id, r.owner, ''
    call('HSET', s.key, 'rec_dev', s.rec_dev, 'rec_invited', s.rec_invited,
         'rec_par', '')
    tell(r.owner, 'inv', s.key, s.id, '')
end


local function session_new(keys, args, now, who, dev, policy, web)
    local ses, par, n = keys[1], keys[2], number(args[16])
    local recorder = policy.recorder and 1 or 0
    local expires = now + policy.ttl
    local dies = int(expires + number(args[5]))
    local list, asked = {}, {}
    local own = { user_id = who.id, key_id = who.id }
    local s

    participant_put(par, participant_new(args[13], 'host', dev.name, '', 0,
                                         int(expires)))

    for i = 1, n do
        local a = 17 + (i - 1) * 5
        local p = participant_new(args[a], args[a + 1], args[a + 2],
                                  args[a + 3], i,
                                  int(now + number(args[a + 4])))

        p.moderator = control.moderates(who, own, list, p.role, p.name,
                                        p.external_id) and '1' or ''
        p.guest = control.guest(who, p.external_id, (web.guests or {})[i])
                  and '1' or ''
        participant_put(par, p)
        ticket_put(keys[12 + i], args[2], p.id, args[a + 4])
        list[i] = p
        asked[i] = p.id
    end

    call('HSET', ses, 'kind', 'device', 'state', 'waiting_host',
         'device_id', args[3], 'host_par', args[13], 'policy', policy.json,
         'external_id', args[10], 'reason', args[11], 'metadata', args[12],
         'created_at', int(now), 'expires_at', int(expires), 'ended_at', '',
         'end_reason', '', 'end_detail', '', 'path', '', 'pos', '',
         'epoch', '1', 'replid', args[1], 'log_bytes', '0',
         'invited', dev.owner, 'retain_s', args[5],
         'max_par', args[6],
         'trimmed', '', 'key_id', who.id, 'key_name', who.name,
         'group_id', dev.group_id,
         'user_id', who.kind == 'user' and who.id or '',
         'control', control.none, 'host', web.host, 'queue', '',
         'asked', table.concat(asked, ' '))

    if recorder == 1 then
        call('HSET', ses, 'rec_state', 'waiting')
    end


    call('EXPIREAT', ses, dies)
    call('EXPIREAT', par, dies)

    s = session(ses, now)
    event.session(s, 'session.created', 'state', s.state, 'user_id',
                  s.user_id, 'key_id', who.kind == 'key' and who.id or '',
                  'expires_at', tonumber(s.expires_at))
    watch.tell(ses, 'ses', s.id, s.group_id, 'new')

    return { 'ok', 'created', int(now), dev.owner, session_obj(s),
             who.id, participant_objs(s, list) }
end


local function session_repeat(keys, args, who, now, n)
    local s = session(keys[1], now)
    local ttls, no = {}, nil

    if not s or s.state == 'ended' then
        return { 'session_ended' }
    end

    no = refused_session(who, s)
    if no then
        return no
    end

    for i = 1, number(args[16]) do
        ttls[i] = args[16 + i * 5]
    end

    return session_again(s, keys[2], { unpack(keys, 13, 12 + n) }, ttls, who,
                         now)
end


-- The index of the tenant's sessions.  The longest life of one seen is kept
-- in the index itself, far below the first instant.

local function session_index(sess, id, life, ms)
    call('ZADD', sess, 'GT', int(life * 1000), 'life')
    life = tonumber(call('ZSCORE', sess, 'life'))
    call('ZADD', sess, int(ms), id)
    index_trim(sess, ms - life)
end


-- The device that is to be the host, or what stands for a browser: that is in
-- no group, and whoever may make sessions of some may make one of it.  Else nil
-- and the reply.

local function session_host(key, id, who)
    local dev, no

    if id == '' then
        return { name = '', group_id = '', owner = '' }
    end

    dev = load_fields(key, DEV)

    if dev.created_at == '' then
        return nil, { 'not_found' }
    end

    no = refused(who, dev.group_id, 'devices:read')
    if no then
        return nil, no
    end

    who.detail = dev.key and id_of(dev.key)

    if service.is(dev) then
        return nil, { 'invalid_value' }
    end

    return dev, dev.owner == '' and { 'device_offline' } or nil
end


-- The renderer that is to be the host: the caller has found it free, and it is
-- so still.

function service.host(keys, args, svcs, now)
    local dev = args[3] ~= '' and load_fields(keys[7], DEV)
    local e = dev and service.get(svcs, args[3], now)

    if not e or dev.kind ~= 'renderer' or dev.owner == ''
       or e.owner ~= dev.owner
    then
        return nil, { 'device_offline' }
    end

    if not service.room(e) or sessions_full(keys[8], now) then
        return nil, { 'renderers_full' }
    end

    return { name = dev.name, group_id = '', owner = dev.owner, place = e }
end


function lib.rs_session_create(keys, args, who)
    local n = number(args[16])
    local svcs, rses = keys[13 + n], keys[14 + n]
    local web = { host = '' }
    local no, ours, ms, now, dev, policy, reply, s

    check(keys, svcs and 14 + n or 12 + n, args,
          svcs and 17 + 5 * n or 16 + 5 * n)

    if svcs and args[17 + 5 * n] ~= '' then
        web = cjson.decode(args[17 + 5 * n])
        web.host = web.host or ''
    end

    no, ours = repeated(keys[5], args[7], args[2])
    if no then
        return no
    end

    ms = now_ms()
    now = math.floor(ms / 1000)

    if ours then
        return session_repeat(keys, args, who, now, n)
    end

    if n + 1 > number(args[6]) then
        return { 'participants_full' }
    end

    if web.host ~= '' then
        dev, no = service.host(keys, args, svcs, now)
    else
        dev, no = session_host(keys[7], args[3], who)
    end

    if no then
        return no
    end

    if (args[3] ~= '' and sessions_full(keys[8], now))
       or (who.kind == 'user' and sessions_full(keys[12], now))
       or over(args[14], call('ZCOUNT', keys[9], '(' .. int(now), '+inf'))
    then
        return { 'limit_reached' }
    end

    policy, no = session_policy(who, dev.group_id, keys[10], keys[11],
                                { relay_only = args[8], consent = args[9],
                                  ttl = number(args[4]),
                                  desktop = desktop(args[15]), page = web,
                                  rendered = web.host ~= '' })
    if no then
        return no
    end

    policy.recorder = policy.recording ~= 'off' and svcs
                      and recording.pick(svcs, rses, now) or nil

    if policy.recording == 'required' and not policy.recorder then
        return { 'recorder_offline' }
    end

    reply = session_new(keys, args, now, who, dev, policy, web)

    remember(keys[5], args[7], args[2])
    session_index(keys[6], args[2], policy.ttl + number(args[5]), ms)

    if who.kind == 'user' then
        sessions_put(keys[12], args[2], now + policy.ttl)
    end

    if dev.place then
        service.give(svcs, args[3], dev.place, args[2], now)
    end

    if args[3] ~= '' then
        sessions_put(keys[8], args[2], now + policy.ttl)
        tell(dev.owner, 'inv', keys[1], args[2], '')
    end

    s = session(keys[1], now)

    if policy.recorder then
        recording.give(s, svcs, rses, policy.recorder, now)
    end

    relay.live(keys[9], s, now)

    return reply
end


-- rs_session_retry, guarded
-- KEYS: ses, par, tkt...  ARGV: n, n x ticket ttl_s
-- ok: as rs_session_create.
-- Errors: session_ended, idempotency_mismatch.
-- O(n)

function lib.rs_session_retry(keys, args, who)
    local n = number(args[1])
    local no, now, s

    check(keys, 2 + n, args, 1 + n)

    now = now_s()
    s = session(keys[1], now)

    if not s or s.state == 'ended' then
        return { 'session_ended' }
    end

    no = refused_session(who, s)
    if no then
        return no
    end

    return session_again(s, keys[2], { unpack(keys, 3) },
                         { unpack(args, 2) }, who, now)
end


-- rs_session_get, guarded
-- KEYS: ses, par, use.  ARGV: none.
-- ok: session obj, {participant obj...}, {use obj...}.
-- Errors: not_found.
-- O(participants + allocations)

-- What each participant has relayed: the sums over his allocations.

local USE = { 'allocations', 'rcvp', 'rcvb', 'sentp', 'sentb' }


local function use_objs(use)
    local flat = call('HGETALL', use)
    local sums, list = {}, {}

    for i = 1, #flat, 2 do
        local par = string.match(flat[i], '^[^/]*')
        local v = { string.match(flat[i + 1],
                                 '^(%d+) (%d+) (%d+) (%d+) ') }

        if not sums[par] then
            sums[par] = { 0, 0, 0, 0, 0 }
            list[#list + 1] = par
        end

        sums[par][1] = sums[par][1] + 1

        for k = 1, 4 do
            sums[par][k + 1] = sums[par][k + 1] + tonumber(v[k])
        end
    end

    table.sort(list)

    for i, par in ipairs(list) do
        list[i] = { 'id', par }

        for k, name in ipairs(USE) do
            list[i][2 * k + 1] = name
            list[i][2 * k + 2] = int(sums[par][k])
        end
    end

    return list
end


function lib.rs_session_get(keys, args, who)
    local no, s

    check(keys, 3, args, 0)

    s = session(keys[1], now_s())
    if not s then
        return { 'not_found' }
    end

    no = refused_session(who, s)
    if no then
        return no
    end

    return { 'ok', session_obj(s), participant_objs(s, participants(keys[2])),
             use_objs(keys[3]) }
end


-- rs_session_end, guarded
-- KEYS: ses, par, mem, log, turn.
-- ARGV: reason, detail, device id, replid.
-- ok: ended|already, device id.  Appends and publishes end; publishes rvk
--     to the device invited when its host has not joined, and end to the TURN
--     plugins.
-- Errors: not_found.  O(members)

function lib.rs_session_end(keys, args, who)
    local no, now, s, host

    check(keys, 5, args, 4)

    now = now_s()
    s = session(keys[1], now)

    -- a session of kind "turn" has no log and no members

    if not s or s.kind ~= 'device'
       or (args[3] ~= '' and args[3] ~= s.device_id)
    then
        return { 'not_found' }
    end

    no = refused_session(who, s)
    if no then
        return no
    end

    -- a write, so that WAIT has something to confirm: the first call's end
    -- may not have reached a replica

    if s.state == 'ended' then
        call('HSET', keys[1], 'kind', s.kind)
        return { 'ok', 'already', s.device_id }
    end

    epoch(s, args[4])
    host = participant(keys[2], s.host_par)

    finish(s, workers_written(call('HGET', keys[3], 'w') or ''),
           { par = keys[2], mem = keys[3], log = keys[4], turn = keys[5] },
           host and host.state ~= 'invited', now, args[1],
           args[2])

    return { 'ok', 'ended', s.device_id, s.user_id }
end


-- rs_session_consent
-- KEYS: ses, mem, log, audit.
-- ARGV: par id, what (waiting, given, denied, timeout), device id, replid.
-- ok: state.  What the person at the device says of a participant, or that it
--     is being asked: connecting becomes waiting_consent, and back; appends
--     state then.  Answers are audited.  The end after a no is rs_session_end's.
-- Errors: not_found, session_ended.  O(members)

function lib.rs_session_consent(keys, args)
    local said = {
        waiting = { from = 'connecting', to = 'waiting_consent' },
        given = { from = 'waiting_consent', to = 'connecting',
                  outcome = 'allow', reason = '' },
        denied = { outcome = 'deny', reason = 'consent_denied' },
        timeout = { outcome = 'deny', reason = 'consent_timeout' }
    }
    local what = said[args[2]]
    local s

    check(keys, 4, args, 4)

    if not what then
        error('rs: "' .. args[2] .. '" is nothing to say of consent')
    end

    s = session(keys[1], now_s())

    if not s or s.kind ~= 'device' or s.device_id ~= args[3] then
        return { 'not_found' }
    end

    if s.state == 'ended' then
        return { 'session_ended' }
    end

    if what.outcome then
        audit(keys[4], { kind = 'device', id = s.device_id }, {
            verb = 'consent', object = s.id, outcome = what.outcome,
            reason = what.reason, detail = args[1]
        })
    end

    event.session(s, 'consent.' .. event.consent[args[2]], 'participant_id',
                  args[1])
    watch.tell(s.key, 'ses', s.id, s.group_id, 'changed')

    if s.state == 'waiting_recorder' and what.to then
        call('HSET', s.key, 'rec_then', what.to)
    end

    if s.state == what.from then
        s.state = what.to
        event.state(s)
        epoch(s, args[4])
        append(s, keys[3], workers_written(call('HGET', keys[2], 'w') or ''),
               'evt', s.host_par, '', '', state_body(s))
        save(s, 'state', s.state)
    end

    return { 'ok', s.state }
end


-- rs_device_unlink
-- KEYS: dses, uses.  ARGV: ses id.
-- ok: the session has ended, and leaves its device's list and its user's.
-- O(log sessions)

function lib.rs_device_unlink(keys, args)
    check(keys, 2, args, 1)

    call('ZREM', keys[1], args[1])

    if id_of(keys[2]) ~= '' then
        call('ZREM', keys[2], args[1])
    end

    return { 'ok' }
end


-- rs_participant_add, guarded
-- KEYS: ses, par, idem, tkt, uin.
-- ARGV: par id, role, name, external_id, ticket ttl_s, body hash, guest (1:
--       an API key says so of him; from version 8 on).
-- ok: created|repeated, participant obj, expires_at of the ticket; or
--     repeated, id of the first participant.
-- Errors: idempotency_mismatch, not_found, forbidden (the session has less
--         consent than a grant of the caller wants),
--         session_ended, participants_full, limit_reached.  O(participants)

local function participant_again(s, par, id, tkt, ttl, now)
    local p = participant(par, id)

    if not p then
        return { 'not_found' }
    end

    ticket_again(s, par, p, tkt, ttl, now)

    return { 'ok', 'repeated', participant_obj(s, p), p['until'] }
end


function lib.rs_participant_add(keys, args, who)
    local no, ours, now, s, list, p, max

    check(keys, 5, args, args[7] and 7 or 6)

    now = now_s()
    s = session(keys[1], now)

    if not s or s.kind ~= 'device' then
        return { 'not_found' }
    end

    no = refused_session(who, s) or too_lax(s, who)
    if no then
        return no
    end

    no, ours = repeated(keys[3], args[6], args[1])
    if no then
        return no
    end

    if s.state == 'ended' then
        return { 'session_ended' }
    end

    if ours then
        return participant_again(s, keys[2], args[1], keys[4], args[5], now)
    end

    list = participants(keys[2])
    max = tonumber(s.max_par)

    if places(list, now, s.rec_par) >= max or #list >= max * PAR_TOTAL then
        return { 'participants_full' }
    end

    -- himself, in a session of somebody else: who revokes him finds it there

    if who.kind == 'user' and args[4] == who.id and s.user_id ~= who.id then
        if sessions_full(keys[5], now) then
            return { 'limit_reached' }
        end

        sessions_put(keys[5], s.id, tonumber(s.expires_at))
    end

    p = participant_new(args[1], args[2], args[3], args[4],
                        tonumber(list[#list].seq) + 1,
                        int(now + number(args[5])))

    p.moderator = control.moderates(who, s, list, args[2], args[3], args[4])
                  and '1' or ''
    p.guest = control.guest(who, args[4], args[7] == '1') and '1' or ''
    participant_put(keys[2], p)
    ticket_put(keys[4], s.id, p.id, args[5])
    remember(keys[3], args[6], p.id)

    return { 'ok', 'created', participant_obj(s, p), p['until'] }
end


-- rs_participant_retry, guarded
-- KEYS: ses, par, tkt.  ARGV: par id, ticket ttl_s.
-- ok: repeated, participant obj, expires_at of the ticket.
-- Errors: not_found, session_ended.  O(1)

function lib.rs_participant_retry(keys, args, who)
    local no, now, s

    check(keys, 3, args, 2)

    now = now_s()
    s = session(keys[1], now)

    if not s then
        return { 'not_found' }
    end

    no = refused_session(who, s)
    if no then
        return no
    end

    if s.state == 'ended' then
        return { 'session_ended' }
    end

    return participant_again(s, keys[2], args[1], keys[3], args[2], now)
end


-- rs_join
-- KEYS: tkt, ses, par, mem, log, own, tkt of the page's origin (the first one
--       again: no page), audit.
-- ARGV: address, replid, resume hash, log_size, grace_ms, address of the
--       client, request id, grace_ms of a recorder, ms a host waits for one (a
--       caller of before version 8 gives none of the last two).
-- ok: now_s, par id, position, session obj, {participant obj...}.  Appends
--     joined, and state when the host's coming changes it; publishes fen to
--     the address the participant had, if any.
-- Errors: unauthenticated, session_ended, participants_full.
-- O(participants)

local function welcome(now, s, id, par)
    return { 'ok', int(now), id, s.pos, session_obj(s),
             participant_objs(s, participants(par)) }
end


-- Until its socket has spoken, a participant may not have got the welcome.
-- One that resumed has its token of before then; one that joined has none,
-- which this says in its place: no hash is like it.

local NEVER = '-'


-- The place of a host who is a browser is lent by codes: a ticket of an earlier
-- one than the newest does not take it from whom it was lent to since.

local function borrowed(s, p, ticket)
    return p.role == 'host' and s.device_id == '' and s.help_ticket ~= ticket
end


-- How many others are members?  The recorder takes nobody's place.

function recording.besides(s, m, id)
    local n = others(m, id)

    return s.rec_par ~= '' and s.rec_par ~= id and m['a:' .. s.rec_par]
           and n - 1 or n
end


-- Of a recorder that is a service the grace is its own.

function recording.grace(s, p, own, grace)
    return p.id == s.rec_par and own and number(own) or grace
end


-- The host has come: what does the session go on to?  One that must be kept
-- waits, and not for ever.

function recording.gate(s, own, wait)
    if s.rec_state == '' or s.rec_state == 'on'
       or cjson.decode(s.policy).recording ~= 'required'
    then
        return 'connecting'
    end

    duty_put(own, duty_participant(s.key, recording.duty),
             int(now_ms() + (wait and number(wait) or recording.wait)))

    return 'waiting_recorder'
end


function lib.rs_join(keys, args)
    local limit, grace = number(args[4] or ''), number(args[5] or '')
    local key, tkt, now, s, p, m, old, workers

    check(keys, 8, args, args[8] and 9 or 7)

    key = call('EXISTS', keys[1]) == 1 and keys[1] or keys[7]
    tkt = call('HMGET', key, 'ses', 'par', 'dev')
    duty_check(keys[6], args[1])

    if not tkt[1] or tkt[1] ~= id_of(keys[2]) then
        return { 'unauthenticated' }
    end

    call('DEL', key)

    now = now_s()
    s = session(keys[2], now)

    if not s or s.state == 'ended' then
        return { 'session_ended' }
    end

    p = participant(keys[3], tkt[2])
    if not p or gone(p) or borrowed(s, p, id_of(key))
       or (tkt[3] and tkt[3] ~= s.device_id)
    then
        return { 'unauthenticated' }
    end

    m = members(keys[4])
    old = m['a:' .. p.id]

    if p.id ~= s.rec_par
       and recording.besides(s, m, p.id) >= tonumber(s.max_par)
    then
        return { 'participants_full' }
    end

    if old and old ~= '' and old ~= args[1] then
        tell(old, 'fen', keys[2], '-', 'replaced')
    end

    p.state, p.joined_at, p.left_at = 'joined', int(now), ''
    participant_put(keys[3], p)

    m['a:' .. p.id] = args[1]
    call('HSET', keys[4], 'a:' .. p.id, args[1], 'i:' .. p.id, '0',
         'r:' .. p.id, args[3], 'q:' .. p.id, NEVER)
    call('HDEL', keys[4], 'o:' .. p.id)
    call('EXPIREAT', keys[4], session_dies(s))
    grace = recording.grace(s, p, args[8], grace)
    duty_put(keys[6], duty_participant(keys[2], p.id), '-' .. int(grace))

    epoch(s, args[2])
    workers = workers_of(keys[4], m)

    event.participant(s, p, 'joined')
    append(s, keys[5], workers, 'evt', p.id, '', '',
           joined_body(p, control.joined(s, p)), limit)

    if p.role == 'host'
       and (s.state == 'waiting_host' or s.state == 'waiting_consent')
    then
        s.state, s.queue = recording.gate(s, keys[6], args[9]), ''
        event.state(s)
        append(s, keys[5], workers, 'evt', p.id, '', '', state_body(s), limit)
        save(s, 'state', s.state, 'queue', '')

    else
        save(s)
    end

    audit(keys[8], { kind = 'participant', id = p.id, name = p.name,
                     addr = args[6], rid = args[7] },
          { verb = 'session:join', object = s.id, outcome = 'allow',
            detail = p.role })

    return welcome(now, s, p.id, keys[3])
end


-- rs_resume
-- KEYS: ses, par, mem, log, own.
-- ARGV: par id, old resume hash, new resume hash, position, address,
--       replid, log_size, grace_ms, grace_ms of a recorder (none of a caller of
--       before version 8).
-- ok: as rs_join, then {entry...} after the position, the epoch; publishes fen
--     to the old address when it had one.
-- Errors: unauthenticated, session_ended, resume_too_old.
-- O(participants + entries)

-- The token is changed here, but the client knows only when the welcome
-- reaches it: if the worker dies or the socket breaks first, the token before
-- is all it has.  That one counts until the new socket has spoken.

local function resume_token(m, id, hash)
    return m['r:' .. id] == hash or m['q:' .. id] == hash
end


local function welcomed(mem, id, before)
    if before then
        call('HDEL', mem, 'q:' .. id)
    end
end


function lib.rs_resume(keys, args)
    local id, pos, address = args[1], args[4], args[5]
    local grace = number(args[8] or '')
    local now = now_s()
    local s, m, old, p, reply, e

    check(keys, 5, args, args[9] and 9 or 8)
    duty_check(keys[5], address)

    s = session(keys[1], now)
    m = members(keys[3])
    old = m['a:' .. id]
    p = participant(keys[2], id)

    if not s or not p or not old or not resume_token(m, id, args[2]) then
        return { 'unauthenticated' }
    end

    if s.state == 'ended' then
        return { 'session_ended' }
    end

    epoch(s, args[6])
    e = position(pos)

    -- given out in an epoch that a server between began and lost; a client
    -- may say anything, so it is not followed far

    if s.new_epoch and e and e >= tonumber(s.epoch)
       and e < tonumber(s.epoch) + EPOCHS_LOST
    then
        s.epoch = int(e + 1)
    end

    if not readable(s, pos, call('EXISTS', keys[4]) == 1) then
        return { 'resume_too_old' }
    end

    if old ~= '' and old ~= address then
        tell(old, 'fen', keys[1], '-', 'replaced')
    end

    p.state = 'joined'
    participant_put(keys[2], p)
    grace = recording.grace(s, p, args[9], grace)

    m['a:' .. id] = address
    call('HSET', keys[3], 'a:' .. id, address, 'r:' .. id, args[3],
         'q:' .. id, args[2])
    call('HDEL', keys[3], 'o:' .. id)
    workers_of(keys[3], m)
    duty_put(keys[5], duty_participant(keys[1], id), '-' .. int(grace))
    save(s)

    reply = welcome(now, s, id, keys[2])
    reply[#reply + 1] = entries(keys[4], pos)
    reply[#reply + 1] = s.epoch

    return reply
end


-- Who says something from an address that is not the member's?  It may be
-- away from that very address: its worker was called dead, and is not.

local function not_here(mem, id, at, address)
    if at == '' and address ~= '' and call('HGET', mem, 'l:' .. id) == address
    then
        return { 'unavailable' }
    end

    return { 'replaced' }
end


-- rs_append, the hot path
-- KEYS: ses, mem, log.
-- ARGV: par id, address, id, to (empty: all), body, replid, log_size,
--       the epoch the sender knows of.
-- ok: position, or dup, or new and the epoch there is now: nothing was
--     appended, the sender has to send again what it said last.
-- Errors: session_ended, replaced, unknown_peer, unavailable (its worker was
--         called dead: rs_sync brings it back), not_recorded.  O(workers)

-- As long as a session waits for its recorder the host and it are the only ones
-- that may speak with each other.

function recording.closed(ses, from, to)
    local h = call('HMGET', ses, 'host_par', 'rec_par')

    return not (from == h[1] and to == h[2] and to ~= '')
           and not (from == h[2] and to == h[1])
end


function lib.rs_append(keys, args)
    local par, to = args[1], args[4]
    local id = number(args[3])
    local limit = number(args[7])
    local h, m, s, known

    check(keys, 3, args, 8)

    h = call('HMGET', keys[1], 'state', 'expires_at', 'epoch', 'replid',
             'log_bytes')

    if not h[1] or h[1] == 'ended' or now_s() >= tonumber(h[2]) then
        return { 'session_ended' }
    end

    m = call('HMGET', keys[2], 'w', 'a:' .. par, 'i:' .. par, 'a:' .. to,
             'q:' .. par)

    if args[2] == '' or m[2] ~= args[2] then
        return not_here(keys[2], par, m[2], args[2])
    end

    welcomed(keys[2], par, m[5])

    if id <= tonumber(m[3]) then
        return { 'ok', 'dup' }
    end

    if to ~= '' and not m[4] then
        return { 'unknown_peer' }
    end

    if h[1] == 'waiting_recorder' and recording.closed(keys[1], par, to) then
        return { 'not_recorded' }
    end

    -- not the first entry: the sender's joining is before it

    s = { key = keys[1], epoch = h[3], replid = h[4], log_bytes = h[5] }
    s.tenant, s.id = names_of(keys[1])

    epoch(s, args[6])

    -- a server that is lost began the epoch which the sender knows of: there
    -- its positions were given out, and this one begins another

    known = number(args[8])

    if known > tonumber(s.epoch)
       or (s.new_epoch and known == tonumber(s.epoch))
    then
        s.epoch = int(known + 1)
        s.new_epoch = true
    end

    -- the epoch before may have lost what the sender said last: that comes
    -- first, else it would be a repetition of an id below this one

    if tonumber(s.epoch) > known then
        save(s)
        return { 'ok', 'new', s.epoch }
    end

    append(s, keys[3], workers_written(m[1]), 'sig', par, to, args[3],
           args[5], limit)
    save(s)
    call('HSET', keys[2], 'i:' .. par, args[3])

    return { 'ok', s.pos }
end


-- rs_state
-- KEYS: ses, par, mem, log.
-- ARGV: par id, address, path JSON, replid, log_size.
-- ok: position.  Appends state; connecting becomes active.
-- Errors: session_ended, replaced, unavailable.  O(members)

function lib.rs_state(keys, args)
    local id, path = args[1], args[3]
    local limit = number(args[5])
    local s, m, p

    check(keys, 4, args, 5)

    s = session(keys[1], now_s())

    if not s or s.state == 'ended' then
        return { 'session_ended' }
    end

    m = call('HMGET', keys[3], 'a:' .. id, 'w', 'q:' .. id)
    p = participant(keys[2], id)

    if not p or args[2] == '' or m[1] ~= args[2] then
        return not_here(keys[3], id, m[1], args[2])
    end

    welcomed(keys[3], id, m[3])

    -- that a recorder sees the host says nothing of who works with it

    if s.state == 'connecting' and id ~= s.rec_par then
        s.state = 'active'
        event.state(s)
    end

    p.path = path
    participant_put(keys[2], p)

    epoch(s, args[4])
    append(s, keys[4], workers_written(m[2]), 'evt', id, '', '',
           state_body(s, id, path ~= '' and path or nil), limit)
    save(s, 'state', s.state, 'path', id ~= s.rec_par and path or s.path)

    return { 'ok', s.pos }
end


-- rs_control
-- KEYS: ses, par, mem, log.
-- ARGV: par id, address, op (request, release, grant, take, lock, unlock),
--       to (of grant, else empty), replid, log_size.
-- ok: said, or same (nothing changed, nothing is appended).  Appends control.
-- Errors: session_ended, replaced, unavailable, unknown_peer, forbidden,
--         control_locked.  O(members)
--
-- The holder may give it to another; the host and moderators may take it,
-- give it, and lock it: then it goes nowhere by itself, and nobody else gives
-- it.

control.ops = {}


function control.ops.request(c, p)
    if p.role ~= 'controller' then
        return 'forbidden'
    end

    if c.holder == p.id or control.asked(c, p.id) then
        return nil
    end

    if c.locked then
        return 'control_locked'
    end

    c.requests[#c.requests + 1] = p.id
    control.next(c)
end


function control.ops.release(c, p)
    control.forget(c, p.id)

    if c.holder == p.id then
        c.holder = ''
        control.next(c)
    end
end


function control.ops.grant(c, p, leads, to)
    if not to then
        return 'unknown_peer'
    end

    if (not leads and c.holder ~= p.id)
       or (to.role ~= 'controller' and to.role ~= 'host')
    then
        return 'forbidden'
    end

    if c.locked and not leads then
        return 'control_locked'
    end

    control.give(c, to.id)
end


function control.ops.take(c, p, leads)
    if not leads or (p.role ~= 'controller' and p.role ~= 'host') then
        return 'forbidden'
    end

    -- who had it is the first to have it back from the person at the device

    if p.role == 'host' and c.holder ~= '' and c.holder ~= p.id then
        table.insert(c.requests, 1, c.holder)
    end

    control.give(c, p.id)
end


function control.ops.lock(c, p, leads)
    if not leads then
        return 'forbidden'
    end

    c.locked = true
end


function control.ops.unlock(c, p, leads)
    if not leads then
        return 'forbidden'
    end

    c.locked = false
    control.next(c)
end


function lib.rs_control(keys, args)
    local id, op, to = args[1], args[3], args[4]
    local limit = number(args[6] or '')
    local s, m, p, c, no

    check(keys, 4, args, 6)

    if not control.ops[op] then
        error('rs: "' .. op .. '" is nothing to do with control')
    end

    s = session(keys[1], now_s())

    if not s or s.state == 'ended' then
        return { 'session_ended' }
    end

    m = call('HMGET', keys[3], 'a:' .. id, 'w', 'q:' .. id, 'a:' .. to)
    p = participant(keys[2], id)

    if not p or args[2] == '' or m[1] ~= args[2] then
        return not_here(keys[3], id, m[1], args[2])
    end

    welcomed(keys[3], id, m[3])

    c = control.of(s)
    no = control.ops[op](c, p, p.role == 'host' or p.moderator == '1',
                     m[4] and participant(keys[2], to))
    if no then
        return { no }
    end

    if not control.put(s, c) then
        return { 'ok', 'same' }
    end

    epoch(s, args[5])
    append(s, keys[4], workers_written(m[2]), 'evt', '', '', '',
           control.body(s, op, id), limit)
    save(s)

    return { 'ok', 'said' }
end


do

-- rs_leave
-- KEYS: ses, par, mem, log, own, turn, trev, svcs, rses (a caller of before
--       version 8 gives none of the last two).
-- ARGV: par id (empty: who is at the address), address, mode (away, bye,
--       lost, undone), replid, log_size, grace_ms.
-- ok: away|left|ended|stale, device id.  Appends left, and end when the host
--     or the last other participant is gone.  The TURN plugins are told rev
--     or end, but nothing of an undone join: it got no credentials.
--     O(members)
--
-- A host that was here, is lost and was never heard may not have got its
-- welcome: it is away instead, and asked in again.  Another one whose join
-- came to nothing (undone) is lost, and the session waits for the next.

local function leave_away(s, keys, m, p, address, due)
    m['a:' .. p.id] = ''
    call('HSET', keys.mem, 'a:' .. p.id, '', 'l:' .. p.id, address,
         'o:' .. p.id, id_of(keys.own))
    workers_of(keys.mem, m)
    duty_put(keys.own, duty_participant(s.key, p.id), int(due))

    p.state = 'away'
    participant_put(keys.par, p)

    return { 'ok', 'away', s.device_id }
end


local function leave_out(s, keys, m, p, mode, now, limit, stay)
    local workers

    for _, f in ipairs({ 'a:', 'i:', 'r:', 'q:', 'l:', 'o:' }) do
        m[f .. p.id] = nil
        call('HDEL', keys.mem, f .. p.id)
    end

    call('ZREM', keys.own, duty_participant(s.key, p.id))

    p.state, p.left_at = 'left', int(now)
    p['until'] = stay and p['until'] or GONE
    participant_put(keys.par, p)

    workers = workers_of(keys.mem, m)
    event.participant(s, p, 'left', mode)
    append(s, keys.log, workers, 'evt', p.id, '', '',
           left_body(p.id, mode, control.left(s, p)), limit)

    return workers
end


-- Who is there besides host and recorder: they do not keep a session alive.

function recording.people(s, m)
    return recording.besides(s, m, s.host_par)
end


-- A session whose recorder is gone: rejected it, failed, or was lost.  Another
-- one is asked in if there is one, or the same one when it is here again; the
-- session says what became of it, or ends.  keys may have no svcs and rses.

function recording.ends(s, workers, keys, now, why, limit)
    local host = participant(keys.par, s.host_par)

    finish(s, workers, keys, host and host.state ~= 'invited', now,
           'recorder_lost', why, limit)

    return { 'ok', 'ended', s.device_id, s.user_id }
end


-- Whom nobody waits for any more does not come: it may have its ticket still.

function recording.void(par, id, now)
    local p = id ~= '' and participant(par, id)

    if p and p.state == 'invited' then
        p.state, p.left_at, p['until'] = 'left', int(now), GONE
        participant_put(par, p)
    end
end


-- Who is asked in after this one, if anybody.

function recording.next(s, keys, now, why, except)
    if keys.svcs and not recording.final[why]
       and (tonumber(s.rec_tries) or 0) + 1 < recording.tries
    then
        return recording.pick(keys.svcs, keys.rses, now, except)
    end
end


-- same: it may be asked again

function recording.lost(s, keys, workers, now, why, limit, same)
    local policy = cjson.decode(s.policy)
    local required = policy.recording == 'required'
    local was, begun = s.rec_dev, s.rec_id ~= ''
    local next

    if s.rec_state == 'on' then
        recording.stopped(s, why)
    end

    if begun and required and policy.recorder_lost ~= 'mark' then
        return recording.ends(s, workers, keys, now, why, limit)
    end

    next = recording.next(s, keys, now, why, not same and was or nil)
    s.rec_tries = int((tonumber(s.rec_tries) or 0) + 1)

    if required and not begun and not next then
        return recording.ends(s, workers, keys, now, why, limit)
    end

    recording.void(keys.par, s.rec_par, now)

    s.rec_par = ''
    s.rec_state = begun and 'lost' or next and 'waiting' or 'off'

    if keys.rses and (next or not begun or why == 'device_removed') then
        recording.detach(keys.rses, was, s.id, now)
        s.rec_dev, s.rec_invited = '', ''
    end

    append(s, keys.log, workers, 'evt', '', '', '', state_body(s), limit)
    save(s, 'rec_state', s.rec_state, 'rec_par', '', 'rec_dev', s.rec_dev,
         'rec_invited', s.rec_invited, 'rec_tries', s.rec_tries)

    if next then
        recording.give(s, keys.svcs, keys.rses, next, now)
    end

    return { 'ok', 'left', s.device_id }
end


local function leave_gone(s, keys, m, p, mode, now, limit, stay)
    local recorder = p.id == s.rec_par
    local workers = leave_out(s, keys, m, p, mode, now, limit,
                              stay and not recorder)
    local host

    if recorder then
        relay.revoke(keys.trev, s, p.id, now)

        return recording.lost(s, keys, workers, now, mode, limit, true)
    end

    if p.role ~= 'host' and (stay or recording.people(s, m) > 0) then
        save(s)

        if not stay then
            relay.revoke(keys.trev, s, p.id, now)
        end

        return { 'ok', 'left', s.device_id }
    end

    host = participant(keys.par, s.host_par)

    finish(s, workers, keys, host and host.state ~= 'invited', now,
           p.role == 'host' and mode == 'lost' and 'host_lost' or 'left', '',
           limit)

    return { 'ok', 'ended', s.device_id, s.user_id }
end


local function unwelcome(s, m, p)
    return p.role == 'host' and m['q:' .. p.id] == NEVER and s.invited ~= ''
end


local function member_at(m, address)
    for field, at in pairs(m) do
        if at == address and string.sub(field, 1, 2) == 'a:' then
            return string.sub(field, 3)
        end
    end

    return ''
end


local function member_keys(keys)
    return { par = keys[2], mem = keys[3], log = keys[4], own = keys[5],
             turn = keys[6], trev = keys[7], svcs = keys[8], rses = keys[9] }
end


function lib.rs_leave(keys, args)
    local id, address, mode = args[1], args[2], args[3]
    local limit, grace = number(args[5] or ''), number(args[6] or '')
    local ms = now_ms()
    local now = math.floor(ms / 1000)
    local undone = mode == 'undone'
    local s, m, p, at

    check(keys, keys[8] and 9 or 7, args, 6)

    mode = undone and 'lost' or mode
    s = session(keys[1], now)

    if not s or s.state == 'ended' then
        call('ZREM', keys[5], duty_participant(keys[1], id))
        return { 'ok', 'stale', s and s.device_id or '' }
    end

    m = members(keys[3])

    if id == '' and address ~= '' then
        id = member_at(m, address)
    end

    p = participant(keys[2], id)
    at = m['a:' .. id]

    -- who is away is at its last address still, for being lost only

    if at == '' and mode ~= 'away' then
        at = m['l:' .. id]
    end

    if not p or address == '' or at ~= address then

        if holder(m, id) ~= id_of(keys[5]) then
            call('ZREM', keys[5], duty_participant(keys[1], id))
        end

        return { 'ok', 'stale', s.device_id }
    end

    duty_check(keys[5], address)

    if mode == 'lost' and m['a:' .. id] == address and unwelcome(s, m, p) then
        tell(s.invited, 'inv', keys[1], s.id, '')
        mode = 'away'
    end

    if mode == 'away' then
        return leave_away(s, member_keys(keys), m, p, address, ms + grace)
    end

    epoch(s, args[4])

    return leave_gone(s, member_keys(keys), m, p, mode, now, limit, undone)
end


-- rs_adopt
-- KEYS: ses, par, mem, own of a dead worker, own of the caller.
-- ARGV: par id, since_ms.
-- ok: adopted, due_ms; or stale.  Who was at the dead worker is away since
--     then, and the caller has to see to it; who is elsewhere is left alone.
--     Publishes fen away, should the worker live, and inv when the host was
--     killed before its welcome.  O(members)

function lib.rs_adopt(keys, args)
    local id = args[1]
    local since = number(args[2] or '')
    local worker = id_of(keys[4])
    local duty = duty_participant(keys[1], id)
    local s, m, p, at, score, due

    check(keys, 5, args, 2)

    score = tonumber(call('ZSCORE', keys[4], duty) or '0')
    call('ZREM', keys[4], duty)

    s = session(keys[1], now_s())

    if id == recording.duty and s and s.state == 'waiting_recorder' then
        duty_put(keys[5], duty, int(score))

        return { 'ok', 'adopted', int(score) }
    end

    m = members(keys[3])
    p = participant(keys[2], id)

    if not s or s.state == 'ended' or not p or holder(m, id) ~= worker then
        return { 'ok', 'stale', '' }
    end

    at = m['a:' .. id]

    if at == '' then
        due = score
        call('HSET', keys[3], 'o:' .. id, id_of(keys[5]))
        duty_put(keys[5], duty, int(due))

    else
        due = since - math.min(score, 0)
        leave_away(s, { par = keys[2], mem = keys[3], own = keys[5] }, m, p,
                   at, due)
        tell(at, 'fen', keys[1], '-', 'away')
    end

    if unwelcome(s, m, p) then
        tell(s.invited, 'inv', keys[1], s.id, '')
    end

    return { 'ok', 'adopted', int(due) }
end


-- rs_lost
-- KEYS: ses, par, mem, log, own, turn, trev, svcs, rses (a caller of before
--       version 8 gives none of the last two).  ARGV: par id, replid.
-- ok: left|ended|stale, device id.  For a duty that is due: as rs_leave, if
--     the participant has not come back; or ("rec" for the participant) if the
--     session still waits for its recorder.  O(members)

function lib.rs_lost(keys, args)
    local id = args[1]
    local ms = now_ms()
    local now = math.floor(ms / 1000)
    local s, m, p, score

    check(keys, keys[8] and 9 or 7, args, 2)

    score = tonumber(call('ZSCORE', keys[5], duty_participant(keys[1], id))
                     or '0')

    if score <= 0 or score > ms then
        return { 'ok', 'stale', '' }
    end

    s = session(keys[1], now)

    if id == recording.duty and s and s.state == 'waiting_recorder' then
        call('ZREM', keys[5], duty_participant(keys[1], id))
        epoch(s, args[2])

        return recording.ends(s, workers_written(call('HGET', keys[3], 'w')
                                                 or ''),
                              member_keys(keys), now, 'timeout')
    end

    m = members(keys[3])
    p = participant(keys[2], id)

    if not s or s.state == 'ended' or not p or m['a:' .. id] ~= ''
       or holder(m, id) ~= id_of(keys[5])
    then
        call('ZREM', keys[5], duty_participant(keys[1], id))
        return { 'ok', 'stale', s and s.device_id or '' }
    end

    epoch(s, args[2])

    return leave_gone(s, member_keys(keys), m, p, 'lost', now)
end


-- rs_recorder_failed
-- KEYS: ses, par, mem, log, own, turn, trev, svcs, rses.
-- ARGV: device id of the recorder, why, replid, or besides: away.
-- ok: left|ended, device id of the host, user id.  This recorder does not keep
--     the session, or no more: another one is asked in, or the session ends, as
--     its policy has it.  away: it has no control channel; or stale, when it
--     takes part, or when there is no other one: it is asked when it is back.
-- Errors: not_found, session_ended.  O(members)

function lib.rs_recorder_failed(keys, args)
    local now = now_s()
    local k = member_keys(keys)
    local s, m, p, at, workers

    check(keys, 9, args, args[4] and 4 or 3)

    s = session(keys[1], now)

    if not s or s.state == 'ended' or s.rec_dev ~= args[1] then
        recording.detach(keys[9], args[1], id_of(keys[1]), now)
        return { s and s.rec_dev == args[1] and 'session_ended'
                 or 'not_found' }
    end

    m = members(keys[3])
    p = s.rec_par ~= '' and participant(keys[2], s.rec_par)
    at = p and m['a:' .. p.id]

    if args[4] and (at or s.rec_state == 'on'
                    or not recording.next(s, k, now, args[2], args[1]))
    then
        return { 'ok', 'stale', s.device_id }
    end

    epoch(s, args[3])

    if not at then
        return recording.lost(s, k, workers_written(m.w or ''), now, args[2])
    end

    if at ~= '' then
        tell(at, 'fen', keys[1], '-', 'replaced')
    end

    workers = leave_out(s, k, m, p, 'lost', now)
    relay.revoke(keys[7], s, p.id, now)

    return recording.lost(s, k, workers, now, args[2])
end

end


-- rs_sync
-- KEYS: ses, par, mem, log, own.
-- ARGV: par id, address, position, replid, grace_ms, count, epoch the socket
--       knows of.
-- ok: epoch, {entry...} after the position, at most count.  For a live socket
--     when its worker's link was down or the worker was called dead: it is a
--     member again if it was away from this address, its duty is written
--     again, and another server starts a new epoch, as does a position that
--     this server has not given out.  An epoch that the server before began,
--     and this one never saw, is not begun a second time.
-- Errors: session_ended, replaced, unauthenticated (this server does not know
--         the member), resume_too_old.  O(members + entries)

local function sync_member(s, keys, m, id, address)
    local p

    if m['a:' .. id] == address then
        return nil
    end

    p = participant(keys[2], id)

    if not p or not m['a:' .. id] then
        return { 'unauthenticated' }
    end

    if m['a:' .. id] ~= '' or m['l:' .. id] ~= address then
        return { 'replaced' }
    end

    m['a:' .. id] = address
    call('HSET', keys[3], 'a:' .. id, address)
    call('HDEL', keys[3], 'o:' .. id)
    workers_of(keys[3], m)

    p.state = 'joined'
    participant_put(keys[2], p)

    return nil
end


-- What a server that is lost said of control may be unknown to this one: in a
-- new epoch it says once who holds it here.

function control.again(s, keys)
    if s.epoch ~= '1' and s.control ~= '' and s.control_epoch ~= s.epoch then
        append(s, keys[4], workers_written(call('HGET', keys[3], 'w') or ''),
               'evt', '', '', '', control.body(s))
        call('HSET', keys[1], 'control_epoch', s.epoch)
    end
end


function lib.rs_sync(keys, args)
    local id, address, pos = args[1], args[2], args[3]
    local grace, count = number(args[5] or ''), number(args[6] or '')
    local known = number(args[7] or '')
    local s, no, e

    check(keys, 5, args, 7)
    duty_check(keys[5], address)

    s = session(keys[1], now_s())
    e = position(pos)

    if not s then
        return { 'session_ended' }
    end

    if not e then
        return { 'resume_too_old' }
    end

    if s.state ~= 'ended' then
        no = sync_member(s, keys, members(keys[3]), id, address)
        if no then
            return no
        end

        duty_put(keys[5], duty_participant(keys[1], id), '-' .. int(grace))
        epoch(s, args[4])

        if s.pos ~= '' and e >= tonumber(s.epoch) and older(s.pos, pos) then
            known = math.max(known, e)
            s.new_epoch = true
        end

        if known > tonumber(s.epoch)
           or (s.new_epoch and known == tonumber(s.epoch))
        then
            s.epoch = int(known + 1)
            s.new_epoch = true
        end

        control.again(s, keys)
        save(s)
    end

    if not readable(s, pos, call('EXISTS', keys[4]) == 1, true) then
        return { 'resume_too_old' }
    end

    return { 'ok', s.epoch, entries(keys[4], pos, math.max(count, 1)) }
end


-- rs_range
-- KEYS: ses, log.  ARGV: position, count.
-- ok: {entry...} after the position, at most count; none when this server has
--     not come so far.
-- Errors: session_ended (it is gone), resume_too_old.  O(entries)

function lib.rs_range(keys, args)
    local count = number(args[2])
    local s

    check(keys, 2, args, 2)

    s = load_fields(keys[1], SES)

    if s.kind == '' then
        return { 'session_ended' }
    end

    if not readable(s, args[1], call('EXISTS', keys[2]) == 1, true) then
        return { 'resume_too_old' }
    end

    return { 'ok', entries(keys[2], args[1], math.max(count, 1)) }
end


-- rs_route
-- KEYS: ses, mem.  ARGV: none.
-- ok: the host's participant id, {participant, address, ...} of who has a
-- socket.  Errors: session_ended.  O(members)

function lib.rs_route(keys, args)
    local list = {}
    local s

    check(keys, 2, args, 0)

    s = session(keys[1], now_s())

    if not s or s.state == 'ended' then
        return { 'session_ended' }
    end

    for field, address in pairs(members(keys[2])) do
        if string.sub(field, 1, 2) == 'a:' and address ~= '' then
            list[#list + 1] = string.sub(field, 3)
            list[#list + 1] = address
        end
    end

    return { 'ok', s.host_par, list }
end


-- rs_turn_session, guarded
-- KEYS: ses, turn.
-- ARGV: key id (empty: any), ttl_s, retain_s, external_id, quota of live
--       sessions.
-- ok: key id, expires_at.  A session of kind turn: credentials without
--     signalling.  Publishes live to the TURN plugins.  A repeated call
--     changes nothing.
-- Errors: not_found (it is another key's id),
--         session_ended (repeated, and revoked since).  O(log sessions)

function lib.rs_turn_session(keys, args, who)
    local now, s, expires

    check(keys, 2, args, 5)

    if args[1] ~= '' and args[1] ~= who.id then
        return { 'not_found' }
    end

    -- it is of no group

    if not allowed_all(who, '') then
        return { 'forbidden' }
    end

    now = now_s()
    s = session(keys[1], now)

    if s then
        return s.state == 'ended' and { 'session_ended' }
               or { 'ok', who.id, s.expires_at }
    end

    if over(args[5], call('ZCOUNT', keys[2], '(' .. int(now), '+inf')) then
        return { 'limit_reached' }
    end

    expires = now + number(args[2])

    call('HSET', keys[1], 'kind', 'turn', 'state', 'active',
         'created_at', int(now), 'expires_at', int(expires),
         'retain_s', int(number(args[3])), 'epoch', '1', 'key_id', who.id,
         'key_name', who.name, 'external_id', args[4])
    call('EXPIREAT', keys[1], int(expires + number(args[3])))

    relay.live(keys[2], session(keys[1], now), now)

    return { 'ok', who.id, int(expires) }
end


-- rs_turn_revoke, guarded
-- KEYS: ses, par, turn, trev.
-- ARGV: the one wanted besides for a participant of another session
--       than one of kind turn, key id (empty: any), par id (empty: all of a
--       session of kind turn).
-- ok: ended (a session of kind turn), revoked (one participant of another
--     session, who stays in it) or already.  The TURN plugins are told end or
--     rev, once.
-- Errors: not_found.  O(log sessions)

function lib.rs_turn_revoke(keys, args, who)
    local now, s, par, held

    check(keys, 4, args, 3)

    now = now_s()
    s = session(keys[1], now)
    par = args[3]

    if not s or (args[2] ~= '' and args[2] ~= who.id)
       or (s.kind ~= 'turn'
           and (par == '' or not participant(keys[2], par)))
    then
        return { 'not_found' }
    end

    if s.kind == 'turn' and not allowed_all(who, '') then
        return { 'not_found' }
    end

    if s.kind ~= 'turn' and not allowed(who, args[1], s.group_id) then
        return { allowed(who, 'sessions:read', s.group_id) and 'forbidden'
                 or 'not_found' }
    end

    held = call('ZSCORE', keys[4], s.id .. '.' .. par)

    -- a write, as in rs_session_end

    if s.state == 'ended' or held then
        call('HSET', keys[1], 'kind', s.kind)
        return { 'ok', 'already' }
    end

    if s.kind ~= 'turn' then
        relay.revoke(keys[4], s, par, now)
        return { 'ok', 'revoked' }
    end

    call('HSET', keys[1], 'state', 'ended', 'ended_at', int(now),
         'end_reason', 'deleted')
    relay.over(keys[3], s)

    return { 'ok', 'ended' }
end


-- rs_turn_tenant
-- KEYS: tens.  ARGV: n x (ttl_s, tenant), n at most 64.
-- ok.  The TURN plugins look for the tenants' sessions for that long.
--      O(n log tenants)

function lib.rs_turn_tenant(keys, args)
    local n = math.floor(#args / 2)
    local now = now_s()

    check(keys, 1, args, 2 * math.max(1, math.min(n, TENS_STEP)))

    call('ZREMRANGEBYSCORE', keys[1], '-inf', int(now))

    for i = 1, #args, 2 do
        call('ZADD', keys[1], 'GT', int(now + number(args[i])), args[i + 1])
    end

    return { 'ok' }
end


-- The rank of the first entry after this one, which may be gone or have
-- another score by now.  Ranks are by score, then by member.

local function rank_after(set, score, member)
    local rank = call('ZRANK', set, member)
    local low, high

    if rank and call('ZSCORE', set, member) == score then
        return rank + 1
    end

    low = call('ZCOUNT', set, '-inf', '(' .. score)
    high = low + call('ZCOUNT', set, score, score)

    while low < high do
        local middle = math.floor((low + high) / 2)

        if call('ZRANGE', set, int(middle), int(middle))[1] <= member then
            low = middle + 1

        else
            high = middle
        end
    end

    return low
end


-- A page of what is not over yet, and the cursor of the next: the score and
-- the member of its last entry, or empty.  Who stays from the first page to
-- the last is seen, whatever comes and goes meanwhile.

function relay.page(set, cursor, count, now)
    local score, member, start, found

    count = math.max(1, math.min(number(count), TURN_PAGE))

    if cursor == '' then
        start = call('ZCOUNT', set, '-inf', int(now))

    else
        score, member = string.match(cursor, '^(%d+)%.(.+)$')

        if not score or #score > 15 then
            return nil
        end

        start = rank_after(set, score, member)
    end

    found = call('ZRANGE', set, int(start), int(start + count - 1),
                 'WITHSCORES')

    if #found < 2 * count then
        return found, ''
    end

    return found, found[#found] .. '.' .. found[#found - 1]
end


-- rs_turn_tenants
-- KEYS: tens.  ARGV: cursor, count.
-- ok: next cursor (empty at the end), {tenant...}.
-- Errors: invalid_value (the cursor).  O(count + log^2 tenants)

function lib.rs_turn_tenants(keys, args)
    local list = {}
    local found, cursor

    check(keys, 1, args, 2)

    found, cursor = relay.page(keys[1], args[1], args[2], now_s())

    if not found then
        return { 'invalid_value' }
    end

    for i = 1, #found, 2 do
        list[#list + 1] = found[i]
    end

    return { 'ok', cursor, list }
end


-- rs_turn_list
-- KEYS: turn or trev.  ARGV: cursor, count.
-- ok: next cursor (empty at the end), {member, until (s), ...}.
-- Errors: invalid_value (the cursor).  O(count + log^2 entries)

function lib.rs_turn_list(keys, args)
    local found, cursor

    check(keys, 1, args, 2)

    found, cursor = relay.page(keys[1], args[1], args[2], now_s())

    if not found then
        return { 'invalid_value' }
    end

    return { 'ok', cursor, found }
end


-- rs_turn_check
-- KEYS: ses, trev.  ARGV: par id.
-- ok: live|ended|revoked|unknown, expires_at (0: unknown), host's par id or -.
-- O(1)

function lib.rs_turn_check(keys, args)
    local s, verdict

    check(keys, 2, args, 1)

    s = session(keys[1], now_s())

    if not s then
        return { 'ok', 'unknown', '0', '-' }
    end

    verdict = 'live'

    if s.state == 'ended' then
        verdict = 'ended'

    elseif call('ZSCORE', keys[2], s.id .. '.' .. args[1]) then
        verdict = 'revoked'
    end

    return { 'ok', verdict, s.expires_at,
             s.host_par ~= '' and s.host_par or '-' }
end


-- rs_turn_usage
-- KEYS: ses, use.
-- ARGV: n x (allocation, rcvp, rcvb, sentp, sentb, done), n at most 64; an
--       allocation is named <participant>/<relay>/<id>-<started_at>.
-- ok: how many were not kept, the session having 2048 others.  Counters are
--     absolute; one that is done is final, else what is less than known is
--     late.
-- Errors: not_found.  O(n)

local function use_put(use, name, new)
    local old = call('HGET', use, name)
    local rcvb, sentb, done

    if not old then
        if call('HLEN', use) >= USE_MAX then
            return 1
        end

    else
        rcvb, sentb, done = string.match(old, '^%d+ (%d+) %d+ (%d+) (%d)$')

        if done == '1'
           or (new[5] ~= '1' and (tonumber(new[2]) < tonumber(rcvb)
                                  or tonumber(new[4]) < tonumber(sentb)))
        then
            return 0
        end
    end

    call('HSET', use, name, table.concat(new, ' '))

    return 0
end


function lib.rs_turn_usage(keys, args)
    local n = math.floor(#args / 6)
    local lost = 0

    check(keys, 2, args, 6 * math.max(1, math.min(n, USE_STEP)))

    for i = 1, #args, 6 do
        if #args[i] > 128
           or not string.match(args[i], '^par_%w+/[%l%d-]+/%d+%-%d+$')
        then
            error('rs: "' .. string.sub(args[i], 1, 128)
                  .. '" does not name an allocation')
        end

        for k = 1, 4 do
            args[i + k] = int(number(args[i + k]))
        end

        args[i + 5] = args[i + 5] == '1' and '1' or '0'
    end

    if not session(keys[1], now_s()) then
        return { 'not_found' }
    end

    for i = 1, #args, 6 do
        lost = lost + use_put(keys[2], args[i],
                              { unpack(args, i + 1, i + 5) })
    end

    if call('EXISTS', keys[2]) == 1 then
        call('EXPIREAT', keys[2], call('EXPIRETIME', keys[1]))
    end

    return { 'ok', int(lost) }
end


-- rs_enrollment_create, guarded
-- KEYS: enr, enrs, idem, enrx, grps.
-- ARGV: id, secret hash, max_uses, ttl_s, group_id, tags, approval,
--       body hash, quota of enrolments, tries or empty, kind (a caller of
--       before version 8 gives none).
-- tries: so many wrong secrets, and it is void; for one that is a code.
-- kind: what its devices will be; desktop, renderer or recorder.
-- ok: created|repeated, enrolment obj; or repeated, id of the first one.
-- Errors: idempotency_mismatch, not_found (the one made first is gone; with
--         "group_id": there is no such group), limit_reached, conflict (the
--         id is taken).
-- O(log enrolments)

local function enrollment(key)
    local e = load_fields(key, ENR)

    e.kind = e.kind ~= '' and e.kind or service.desktop

    return e.max_uses ~= '' and e or nil
end


local function enrollment_obj(key, e)
    return object(id_of(key), e, ENR)
end


function lib.rs_enrollment_create(keys, args, who)
    local enr = keys[1]
    local no, ours, ms, now, expires, e

    check(keys, 5, args, args[11] and 11 or 10)
    service.check(args[11])

    no, ours = repeated(keys[3], args[8], args[1])
    if no then
        return no
    end

    if ours then
        e = enrollment(enr)
        if not e then
            return { 'not_found' }
        end

        no = refused(who, e.group_id, 'enrollments:read')
        if no then
            return no
        end

        call('HSET', enr, 'secret', args[2])

        return { 'ok', 'repeated', enrollment_obj(enr, e) }
    end

    no = no_group(who, keys[5], args[5])
         or refused(who, args[5], 'enrollments:read')
    if no then
        return no
    end

    -- a code's id is made of the code: another one that lives has it

    if call('EXISTS', enr) == 1 then
        return { 'conflict' }
    end

    ms = now_ms()
    now = math.floor(ms / 1000)
    expires = now + number(args[4])

    call('ZREMRANGEBYSCORE', keys[4], '-inf', int(now))

    if over(args[9], call('ZCARD', keys[4])) then
        return { 'limit_reached' }
    end

    call('HSET', enr, 'secret', args[2], 'max_uses', int(number(args[3])),
         'uses', '0', 'expires_at', int(expires), 'created_at', int(now),
         'group_id', args[5], 'tags', args[6], 'approval', args[7],
         'kind', args[11] or service.desktop)

    if args[10] ~= '' then
        call('HSET', enr, 'tries', int(number(args[10])))
    end

    call('EXPIREAT', enr, int(expires + ENR_KEEP))
    call('ZADD', keys[2], int(ms), args[1])
    relay.put(keys[4], args[1], int(expires), now)
    index_trim(keys[2], ms - (ENR_LIFE + ENR_KEEP) * 1000)
    remember(keys[3], args[8], args[1])

    return { 'ok', 'created', enrollment_obj(enr, enrollment(enr)) }
end


-- rs_enrollment_renew, guarded
-- KEYS: enr.  ARGV: secret hash.
-- ok: enrolment obj.  Errors: not_found.  O(1)

function lib.rs_enrollment_renew(keys, args, who)
    local no, e

    check(keys, 1, args, 1)

    e = enrollment(keys[1])
    if not e then
        return { 'not_found' }
    end

    no = refused(who, e.group_id, 'enrollments:read')
    if no then
        return no
    end

    call('HSET', keys[1], 'secret', args[1])

    return { 'ok', enrollment_obj(keys[1], e) }
end


-- rs_enrollment_get, guarded
-- KEYS: enr.  ARGV: none.
-- ok: enrolment obj.  Errors: not_found.  O(1)

function lib.rs_enrollment_get(keys, args, who)
    local no, e

    check(keys, 1, args, 0)

    e = enrollment(keys[1])
    if not e then
        return { 'not_found' }
    end

    no = refused(who, e.group_id, 'enrollments:read')
    if no then
        return no
    end

    return { 'ok', enrollment_obj(keys[1], e) }
end


-- rs_enrollment_delete, guarded
-- KEYS: enr, enrs, enrx.  ARGV: id.
-- ok.  Errors: not_found.  O(log enrolments)

-- What is gone is deleted once more, by two writes: WAIT confirms nothing but
-- writes, and the first deletion may not have reached a replica.

local function delete_again(index, id)
    call('ZADD', index, '0', id)
    call('ZREM', index, id)
end


local function delete_entry_again(hash, id)
    call('HSET', hash, id, '')
    call('HDEL', hash, id)
end


function lib.rs_enrollment_delete(keys, args, who)
    local e, no

    check(keys, 3, args, 1)

    e = enrollment(keys[1])

    if not e then
        delete_again(keys[2], args[1])
        return { 'not_found' }
    end

    no = refused(who, e.group_id, 'enrollments:read')
    if no then
        return no
    end

    call('DEL', keys[1])

    call('ZREM', keys[2], args[1])
    call('ZREM', keys[3], args[1])

    return { 'ok' }
end


-- rs_device_create
-- KEYS: enr, dev, devs, grps, gdev, audit, svcs (a caller of before version 8
--       gives none, and enrols desktops alone).
-- ARGV: secret hash, device id, public_key, name, meta, quota of devices,
--       address of the client, request id.
-- ok: device obj.  Errors: enrollment_invalid, conflict (the id is taken),
--     limit_reached (also: 64 of this kind of services).
-- O(log devices + services)
--
-- An enrolment whose group is gone makes devices without one, which only
-- those see who see all of the tenant.

local function device(key)
    local d = load_fields(key, DEV)

    d.kind = d.kind ~= '' and d.kind or service.desktop

    return d.created_at ~= '' and d or nil
end


local function device_obj(key, d)
    return object(id_of(key), d, DEV)
end


-- A wrong secret for one that is a code: after the last try it has none.

local function enrollment_guessed(enr)
    if call('HEXISTS', enr, 'tries') == 1
       and call('HINCRBY', enr, 'tries', '-1') <= 0
    then
        call('HSET', enr, 'secret', '', 'tries', '0')
    end
end


-- Is there no room for one more service?  It is counted when it is enrolled,
-- and speaks of places when it is here.

function service.full(svcs, kind)
    local flat = call('HGETALL', svcs)
    local n = 0

    for i = 2, #flat, 2 do
        if string.match(flat[i], '^%S+') == kind then
            n = n + 1
        end
    end

    return n >= service.max
end


function lib.rs_device_create(keys, args)
    local ms = now_ms()
    local now = math.floor(ms / 1000)
    local e, secret

    check(keys, keys[7] and 7 or 6, args, 8)

    e = enrollment(keys[1])
    secret = call('HGET', keys[1], 'secret')

    if e and secret ~= args[1] then
        enrollment_guessed(keys[1])
    end

    if not e or secret ~= args[1] or now >= tonumber(e.expires_at)
       or tonumber(e.uses) >= tonumber(e.max_uses)
       or (service.is(e) and not keys[7])
    then
        return { 'enrollment_invalid' }
    end

    if call('EXISTS', keys[2]) == 1 then
        return { 'conflict' }
    end

    if over(args[6], call('ZCARD', keys[3]))
       or (service.is(e) and service.full(keys[7], e.kind))
    then
        return { 'limit_reached' }
    end

    if e.group_id ~= '' and call('HEXISTS', keys[4], e.group_id) == 0 then
        e.group_id = ''
    end

    if e.group_id ~= '' then
        call('HINCRBY', keys[5], e.group_id, '1')
    end

    call('HINCRBY', keys[1], 'uses', '1')
    call('HSET', keys[2], 'name', args[4], 'public_key', args[3],
         'meta', args[5], 'tags', e.tags, 'group_id', e.group_id,
         'created_at', int(now), 'enrollment_id', id_of(keys[1]),
         'version', '1', 'epoch', '0', 'owner', '', 'connected_at', '',
         'last_seen_at', '', 'agent', '', 'kind', e.kind, 'load', '')
    call('ZADD', keys[3], int(ms), args[2])

    if service.is(e) then
        service.put(keys[7], args[2], { kind = e.kind, owner = '',
                    capacity = 0, used = 0, queued = 0, queue = 0,
                    given = {} })
    end

    audit(keys[6], { kind = 'device', id = args[2], name = args[4],
                     addr = args[7], rid = args[8] },
          { verb = 'device:enroll', object = id_of(keys[1]),
            outcome = 'allow' })
    event.device(keys[2], { name = args[4], group_id = e.group_id },
                 'device.enrolled')
    watch.device(keys[2], e.group_id, 'new')

    return { 'ok', device_obj(keys[2], device(keys[2])) }
end


-- rs_device_get, guarded
-- KEYS: dev.  ARGV: none.
-- ok: device obj.  Errors: not_found.  O(1)

function lib.rs_device_get(keys, args, who)
    local no, d

    check(keys, 1, args, 0)

    d = device(keys[1])
    if not d then
        return { 'not_found' }
    end

    no = refused(who, d.group_id, 'devices:read')
    if no then
        return no
    end

    return { 'ok', device_obj(keys[1], d) }
end


-- rs_device_patch, guarded
-- KEYS: dev, grps, gdev.  ARGV: version wanted, then field, value, ...
--                        (name, tags, group_id)
-- ok: device obj.  Errors: not_found (with "group_id": no such group),
--                          forbidden (with "group_id": no group at all, by
--                          whom a device of none is not there for),
--                          precondition_failed, unknown_field.  O(1)

local PATCH = { name = true, tags = true, group_id = true }


-- How many devices a group has; of those put into one before groups had ids
-- it does not know.

local function group_moved(gdev, from, to)
    if from ~= '' and call('HINCRBY', gdev, from, '-1') <= 0 then
        call('HDEL', gdev, from)
    end

    if to ~= '' then
        call('HINCRBY', gdev, to, '1')
    end
end


function lib.rs_device_patch(keys, args, who)
    local no, d, was

    check(keys, 3, args, math.max(1, #args - (#args + 1) % 2))

    d = device(keys[1])
    if not d then
        return { 'not_found' }
    end

    no = refused(who, d.group_id, 'devices:read')
    if no then
        return no
    end

    if d.version ~= args[1] then
        return { 'precondition_failed' }
    end

    was = d.group_id

    for i = 2, #args, 2 do
        if not PATCH[args[i]] then
            return { 'unknown_field' }
        end

        d[args[i]] = args[i + 1]
    end

    no = d.group_id ~= was and no_group(who, keys[2], d.group_id)
    if no then
        return no
    end

    if d.group_id ~= was then
        group_moved(keys[3], was, d.group_id)
    end

    d.version = int(tonumber(d.version) + 1)

    call('HSET', keys[1], 'version', d.version, 'name', d.name,
         'tags', d.tags, 'group_id', d.group_id)

    if d.group_id ~= was then
        event.device(keys[1], { name = d.name, group_id = was },
                     'device.moved')
        watch.device(keys[1], was, 'gone')
    end

    event.device(keys[1], d, 'device.updated')
    watch.device(keys[1], d.group_id, 'changed')

    return { 'ok', device_obj(keys[1], d) }
end


-- rs_device_delete, guarded
-- KEYS: dev, devs, dses, gdev, dtun, svcs, rses (of a caller of before version
--       7: none of the last three; of before version 8: none of the last two).
-- ARGV: id, version wanted or empty.
-- ok: owner, {session id...} and {tunnel id...} for the caller to end, and
--     {session id...} which it is to record, for rs_recorder_failed; publishes
--     fen device_removed to the owner.  dses, dtun and rses stay until that was
--     done, and for a device that is gone the same call gives what was not.
-- Errors: not_found, precondition_failed.
-- O(log devices + sessions)

local function live_sessions(dses, now)
    return call('ZRANGE', dses, '(' .. int(now), '+inf', 'BYSCORE', 'LIMIT',
                '0', int(DSES_MAX))
end


function lib.rs_device_delete(keys, args, who)
    local no, d, live, tunnels, kept

    check(keys, math.min(math.max(#keys, 4), 7), args, 2)

    d = device(keys[1])

    -- of one that is gone the group is not known

    no = refused(who, d and d.group_id or '', 'devices:read')
    if no then
        return no
    end

    if d and args[2] ~= '' and args[2] ~= d.version then
        return { 'precondition_failed' }
    end

    live = live_sessions(keys[3], now_s())
    tunnels = keys[5] and live_sessions(keys[5], now_s())
    kept = keys[7] and recording.given(keys[7], args[1], now_s())

    if not d then
        delete_again(keys[2], args[1])

        return #live + #(tunnels or {}) + #(kept or {}) > 0
               and { 'ok', '', live, tunnels, kept } or { 'not_found' }
    end

    call('DEL', keys[1])
    group_moved(keys[4], d.group_id, '')

    if keys[6] and service.is(d) then
        call('HDEL', keys[6], args[1])
    end

    call('ZREM', keys[2], args[1])
    event.device(keys[1], d, 'device.removed')
    watch.device(keys[1], d.group_id, 'gone')

    if d.owner ~= '' then
        tell(d.owner, 'fen', keys[1], '-', 'device_removed')
    end

    return { 'ok', d.owner, live, tunnels, kept }
end


do

-- rs_device_online
-- KEYS: dev, dses, own, audit.  ARGV: address, agent JSON, epoch.
-- ok: epoch, {session id...} still live; publishes fen replaced to the
--     address it had.  Errors: not_found, replaced, device_quarantined (for
--     how many s more, and new or still, follow).  O(1)
--
-- A socket that was online and is announced again gives the epoch it had; a
-- new one gives none.  A newer socket is not replaced by an announcement.
--
-- Two machines with one key replace each other for ever.  What counts is that
-- a socket takes the place of one that is not known to be closed, of another
-- process as far as "instance" in the agent's JSON tells: one machine on a bad
-- network is one process, and its sockets are mostly closed before.  More than
-- a few in a minute: the key is refused for a while, and the audit says so.

local function instance_of(agent)
    local ok, o = pcall(cjson.decode, agent)

    if ok and type(o) == 'table' and type(o.instance) == 'string' then
        return o.instance
    end

    return ''
end


local function flaps(keys, d, address, agent, now)
    local was, is = instance_of(d.agent), instance_of(agent)
    local h, n

    if d.owner == '' or d.owner == address or (was ~= '' and was == is)
       or call('HGET', keys[1], 'leaving') == d.owner
    then
        return nil
    end

    h = call('HMGET', keys[1], 'flaps', 'flaps_at')
    n = 1

    if h[2] and now - tonumber(h[2]) < FLAP.window then
        n = tonumber(h[1]) + 1

    else
        call('HSET', keys[1], 'flaps_at', int(now))
    end

    call('HSET', keys[1], 'flaps', int(n))

    if n <= FLAP.max then
        return nil
    end

    call('HSET', keys[1], 'owner', '', 'last_seen_at', int(now),
         'quarantine', int(now + FLAP.quarantine))
    call('HDEL', keys[1], 'flaps', 'flaps_at')
    audit(keys[4], { kind = 'device', id = id_of(keys[1]), name = d.name }, {
        verb = 'agent:connect', object = id_of(keys[1]), outcome = 'deny',
        reason = 'device_quarantined', detail = d.owner .. ' ' .. address
    })
    tell(d.owner, 'fen', keys[1], '-', 'device_quarantined')
    event.device(keys[1], d, 'device.offline', 'device_quarantined')
    watch.device(keys[1], d.group_id, 'offline')

    return { 'device_quarantined', int(FLAP.quarantine), 'new' }
end


function lib.rs_device_online(keys, args)
    local address = args[1]
    local now, d, e, no, held

    check(keys, 4, args, 3)
    duty_check(keys[3], address)

    d = device(keys[1])
    if not d then
        return { 'not_found' }
    end

    now = now_s()
    held = tonumber(call('HGET', keys[1], 'quarantine') or '0')

    if held > now then
        return { 'device_quarantined', int(held - now), 'still' }
    end

    if args[3] ~= '' then

        if d.owner ~= '' and d.owner ~= address
           and tonumber(d.epoch) >= number(args[3])
        then
            return { 'replaced' }
        end

    else
        no = flaps(keys, d, address, args[2], now)
        if no then
            return no
        end
    end

    if d.owner ~= '' and d.owner ~= address then
        tell(d.owner, 'fen', keys[1], '-', 'replaced')
    end

    duty_put(keys[3], duty_device(keys[1]), '0')

    e = call('HINCRBY', keys[1], 'epoch', '1')
    call('HSET', keys[1], 'owner', address, 'connected_at', int(now),
         'last_seen_at', int(now), 'agent', args[2])
    call('HDEL', keys[1], 'leaving')

    if d.owner == '' then
        event.device(keys[1], d, 'device.online')
    end

    watch.device(keys[1], d.group_id, 'online')

    return { 'ok', int(e), live_sessions(keys[2], now) }
end

end


-- rs_device_rotate
-- KEYS: dev, audit.  ARGV: address, old key, new key, signature of the
--       statement by the old one, the client's address.
-- ok: rotated|already.  Errors: not_found, replaced (the address is not the
--     device's), conflict (its key is another one than old), limit_reached (a
--     few in an hour: each leaves a line in the audit, and history is short).
-- O(1)

function lib.rs_device_rotate(keys, args)
    local now = now_s()
    local d, h, n, list

    check(keys, 2, args, 5)

    d = device(keys[1])
    if not d then
        return { 'not_found' }
    end

    if d.owner ~= args[1] then
        return { 'replaced' }
    end

    if d.public_key == args[3] then
        return { 'ok', 'already' }
    end

    if d.public_key ~= args[2] then
        return { 'conflict' }
    end

    h = call('HMGET', keys[1], 'rotations', 'rotations_at')
    n = 1

    if h[2] and now - tonumber(h[2]) < ROTATION.window then
        n = tonumber(h[1]) + 1

        if n > ROTATION.max then
            return { 'limit_reached' }
        end

    else
        call('HSET', keys[1], 'rotations_at', int(now))
    end

    list = d.key_history ~= '' and cjson.decode(d.key_history) or {}
    list[#list + 1] = { old = args[2], new = args[3], signature = args[4],
                        created_at = now }

    if #list > ROTATION.history then
        table.remove(list, 1)
    end

    call('HSET', keys[1], 'public_key', args[3], 'old_key', args[2],
         'key_history', cjson.encode(list), 'rotations', int(n))
    audit(keys[2], { kind = 'device', id = id_of(keys[1]), name = d.name,
                     addr = args[5] }, {
        verb = 'agent:rotate', object = id_of(keys[1]), outcome = 'allow',
        reason = '', detail = args[2] .. ' -> ' .. args[3]
    })

    return { 'ok', 'rotated' }
end


-- rs_device_mismatch
-- KEYS: dev, audit.  ARGV: the client's address, retired or unknown (which key
--       it was shown).
-- ok: audited|counted.  Who shows the id of a device and not its key leaves a
--     line in the audit, one a minute and device, with how many it stands for.
-- Errors: not_found.  O(1)

function lib.rs_device_mismatch(keys, args)
    local now = now_s()
    local d, n, h

    check(keys, 2, args, 2)

    d = device(keys[1])
    if not d then
        return { 'not_found' }
    end

    n = call('HINCRBY', keys[1], 'mismatches', '1')
    h = call('HGET', keys[1], 'mismatch_at')

    if h and now >= tonumber(h) and now - tonumber(h) < ROTATION.mismatch then
        return { 'ok', 'counted' }
    end

    call('HSET', keys[1], 'mismatches', '0', 'mismatch_at', int(now))
    audit(keys[2], { kind = 'unknown', id = '', name = '', addr = args[1] }, {
        verb = 'agent:connect', object = id_of(keys[1]), outcome = 'deny',
        reason = 'device_key_mismatch',
        detail = (args[2] == 'retired'
                  and 'the key before the last rotation'
                  or 'a key that is not this device\'s')
                 .. (n > 1 and ', ' .. int(n) .. ' times' or '')
    })

    return { 'ok', 'audited' }
end


-- rs_device_offline
-- KEYS: dev, own, svcs, dses, rses (of a caller of before version 8: none of
--       the last three).  ARGV: address (of a worker: wherever it is there), the
--       instant it was there last in s or empty for now, or leaving.
-- ok: gone|stale|leaving.  By the name of a worker it publishes fen away,
--     should that one live.  leaving: it was told to come back and its socket
--     is closed; it stays online, and who comes takes nobody's place.
--     What a service said from there of its places counts no more, if stale,
--     too.
--     gone: of a renderer then {session id...}, its live ones, which another
--     one may take, and its id; of a recorder nothing, its id, and {session
--     id...} it was given, for rs_recorder_failed.  O(sessions)

function lib.rs_device_offline(keys, args)
    local address = args[1]
    local owner, duty, d, kind

    check(keys, keys[3] and (keys[5] and 5 or 4) or 2, args, 2)

    owner = call('HGET', keys[1], 'owner') or ''
    duty = duty_device(keys[1])

    if address == '' or owner == ''
       or (owner ~= address and worker_of(owner) ~= address)
    then
        if owner == '' or worker_of(owner) ~= id_of(keys[2]) then
            call('ZREM', keys[2], duty)
        end

        -- a service may not have spoken where it is since, or it is nowhere

        if keys[3] and address ~= '' then
            kind = service.away(keys[3], id_of(keys[1]), address)
        end

        if keys[5] and owner == '' and kind == 'recorder' then
            return { 'ok', 'stale', {}, id_of(keys[1]),
                     recording.given(keys[5], id_of(keys[1]), now_s()) }
        end

        return { 'ok', 'stale' }
    end

    if args[2] == 'leaving' then
        call('HSET', keys[1], 'leaving', owner)

        return { 'ok', 'leaving' }
    end

    call('ZREM', keys[2], duty)
    call('HDEL', keys[1], 'leaving')
    call('HSET', keys[1], 'owner', '', 'last_seen_at',
         int(args[2] == '' and now_s() or number(args[2])))

    if owner ~= address then
        tell(owner, 'fen', keys[1], '-', 'away')
    end

    d = device(keys[1])

    if keys[3] and service.is(d) then
        call('HSET', keys[1], 'load', '')
        service.away(keys[3], id_of(keys[1]))
    end

    event.device(keys[1], d, 'device.offline')
    watch.device(keys[1], d.group_id, 'offline')

    if keys[4] and d.kind == 'renderer' then
        return { 'ok', 'gone', live_sessions(keys[4], now_s()),
                 id_of(keys[1]) }
    end

    if keys[5] and d.kind == 'recorder' then
        return { 'ok', 'gone', {}, id_of(keys[1]),
                 recording.given(keys[5], id_of(keys[1]), now_s()) }
    end

    return { 'ok', 'gone' }
end


-- rs_service_load
-- KEYS: dev, svcs.  ARGV: address, capacity, used, queued, queue.
-- ok: kind.  How busy a service says it is, by which sessions are placed.
-- Errors: not_found, replaced (its socket is another one), conflict (it is a
--     desktop).  O(1)

function lib.rs_service_load(keys, args)
    local now = now_s()
    local id = id_of(keys[1])
    local n = {}
    local d, e

    check(keys, 2, args, 5)

    for i = 2, 5 do
        n[i] = math.min(number(args[i]), service.most)
    end

    d = device(keys[1])

    if not d then
        return { 'not_found' }
    end

    if not service.is(d) then
        return { 'conflict' }
    end

    if d.owner ~= args[1] then
        return { 'replaced' }
    end

    e = service.get(keys[2], id, now) or { given = {} }
    e.kind, e.owner = d.kind, d.owner
    e.capacity, e.used, e.queued, e.queue = n[2], n[3], n[4], n[5]
    service.put(keys[2], id, e)

    call('HSET', keys[1], 'load', '{"capacity":' .. int(n[2]) .. ',"used":'
         .. int(n[3]) .. ',"queued":' .. int(n[4]) .. ',"queue":' .. int(n[5])
         .. '}')
    watch.device(keys[1], d.group_id, 'changed')

    return { 'ok', d.kind }
end


-- rs_service_place
-- KEYS: svcs.  ARGV: kind, a random number, how many at most, a device to
--       leave out or empty.
-- ok: {device, owner, ...}: services which have said that they are here and
--     have room, the one with the most free places first, equals by chance.
-- Errors: device_offline (none is here), renderers_full (none has room).
-- O(services)

function lib.rs_service_place(keys, args)
    local now = now_s()
    local by = number(args[2])
    local here, list = 0, {}
    local flat, reply

    check(keys, 1, args, 4)
    service.check(args[1])

    flat = call('HGETALL', keys[1])

    for i = 1, #flat, 2 do
        local e = service.read(flat[i + 1], now)

        if e and e.kind == args[1] and e.owner ~= '' and flat[i] ~= args[4]
        then
            local room = service.room(e)

            here = here + 1

            if room then
                list[#list + 1] = { id = flat[i], owner = e.owner,
                                    room = room }
            end
        end
    end

    -- an order of ids of its own for each call, so that equals take turns

    table.sort(list, function(a, b) return a.id < b.id end)

    for i, c in ipairs(list) do
        c.turn = (i + by) % #list
    end

    table.sort(list, function(a, b)
        return a.room > b.room or (a.room == b.room and a.turn < b.turn)
    end)

    if #list == 0 then
        return { here > 0 and 'renderers_full' or 'device_offline' }
    end

    reply = {}

    for i = 1, math.min(#list, number(args[3])) do
        reply[#reply + 1] = list[i].id
        reply[#reply + 1] = list[i].owner
    end

    return { 'ok', reply }
end


-- rs_service_taken
-- KEYS: svcs.  ARGV: device id, session id.
-- ok: taken|stale.  It has answered for a session it was given, or need not
--     any more: what it says of its places counts that one.  O(1)

function lib.rs_service_taken(keys, args)
    local e

    check(keys, 1, args, 2)

    e = service.get(keys[1], args[1], now_s())

    if not e or not service.taken(e, args[2]) then
        return { 'ok', 'stale' }
    end

    service.put(keys[1], args[1], e)

    return { 'ok', 'taken' }
end


-- rs_session_queue
-- KEYS: ses, mem, log, svcs.
-- ARGV: device id, position or empty, replid.
-- ok: said|same.  What a renderer answers for a session it was given: that it
--     waits there, at which position, or empty, that it is about to start.
--     Appends state when that is news.
-- Errors: not_found (also: another one has it), session_ended, conflict (the
--     host has joined).  O(members)

function lib.rs_session_queue(keys, args)
    local now = now_s()
    local id = id_of(keys[1])
    local s, e

    check(keys, 4, args, 3)

    e = service.get(keys[4], args[1], now)

    if e and service.taken(e, id) then
        service.put(keys[4], args[1], e)
    end

    s = session(keys[1], now)

    if not s or s.host == '' or s.device_id ~= args[1] then
        return { 'not_found' }
    end

    if s.state == 'ended' then
        return { 'session_ended' }
    end

    if s.state ~= 'waiting_host' then
        return { 'conflict' }
    end

    if s.queue == args[2] then
        return { 'ok', 'same' }
    end

    s.queue = args[2] ~= '' and int(number(args[2])) or ''

    epoch(s, args[3])
    append(s, keys[3], workers_written(call('HGET', keys[2], 'w') or ''),
           'evt', s.host_par, '', '', state_body(s))
    save(s, 'queue', s.queue)

    return { 'ok', 'said' }
end


-- rs_session_move
-- KEYS: ses, par, mem, log, svcs, dses, dev and dses of the new one.
-- ARGV: device id, new device id, replid, why: lost, busy or failed.
-- ok: address of the new one.  A rendered session whose renderer is lost, or
--     will not have it, goes to another one that the caller has found free:
--     its host has not joined.  Publishes inv; appends state, which names the
--     new one.
-- Errors: not_found (also: another one has it), session_ended, conflict (the
--     host has joined), device_offline, renderers_full (also: it was refused
--     by four; busy: it would have to wait there, too).  O(members)

function lib.rs_session_move(keys, args)
    local now = now_s()
    local why = args[4]
    local s, p, e, dev, no

    check(keys, 8, args, 4)

    if why ~= 'lost' and not service.refusals[why] then
        error('rs: "' .. why .. '" is no reason to move')
    end

    s = session(keys[1], now)

    if not s or s.host == '' or s.device_id ~= args[1] then
        return { 'not_found' }
    end

    if s.state == 'ended' then
        return { 'session_ended' }
    end

    p = participant(keys[2], s.host_par)

    if not p or p.state ~= 'invited' then
        return { 'conflict' }
    end

    dev, no = service.host({ [7] = keys[7], [8] = keys[8] },
                           { [3] = args[2] }, keys[5], now)
    if no then
        return no
    end

    -- who has waited is not sent to wait once more, and nobody goes round

    if service.refusals[why] then
        s.moves = int((tonumber(s.moves) or 0) + 1)

        if tonumber(s.moves) > service.moves
           or (why == 'busy' and service.room(dev.place) <= 0)
        then
            return { 'renderers_full' }
        end
    end

    e = service.get(keys[5], args[1], now)

    if e and service.taken(e, s.id) then
        service.put(keys[5], args[1], e)
    end

    service.give(keys[5], args[2], dev.place, s.id, now)
    call('ZREM', keys[6], s.id)
    sessions_put(keys[8], s.id, tonumber(s.expires_at))

    p.name = dev.name
    participant_put(keys[2], p)

    s.device_id, s.queue = args[2], ''

    epoch(s, args[3])
    append(s, keys[4], workers_written(call('HGET', keys[3], 'w') or ''),
           'evt', s.host_par, '', '', state_body(s, nil, nil, true))
    save(s, 'device_id', args[2], 'invited', dev.owner, 'queue', '', 'moves',
         s.moves)
    tell(dev.owner, 'inv', keys[1], s.id, '')

    return { 'ok', dev.owner }
end


-- rs_invite
-- KEYS: ses, par, mem, dses, tkt, rses (a caller of before version 8: none).
-- ARGV: address, device id, ticket ttl_s, name of the device (the same).
-- ok: session obj, participant obj (of the host, or of the recorder), key id,
--     key name.
-- Errors: session_ended and not_found (the id leaves dses), conflict (the
--         host is here, or was heard before it went away).  O(participants)
-- To a renderer the ticket is good as long as the session is the renderer's.

-- The participant of a recorder is made when it is asked in, and anew when the
-- one before was lost.  Its id is made of the session's, and of how many there
-- were: it is no secret.

function recording.invite(s, keys, args, now)
    local p = s.rec_par ~= '' and participant(keys[2], s.rec_par)
    local list, id

    if p and p.state ~= 'invited' and p.state ~= 'left' then
        return nil
    end

    if not p or p.state == 'left' then
        list = participants(keys[2])

        if #list >= tonumber(s.max_par) * PAR_TOTAL then
            return nil
        end

        id = redis.sha1hex(s.id .. ' ' .. #list)
        id = string.gsub(string.sub(id, 1, 26), '%x', function(c)
            return string.char(97 + tonumber(c, 16))
        end)

        p = participant_new('par_' .. id, 'recorder', args[4], '',
                            tonumber(list[#list].seq) + 1, s.expires_at)
        participant_put(keys[2], p)
    end

    call('HSET', keys[1], 'rec_par', p.id, 'rec_invited', args[1])

    return p
end

function lib.rs_invite(keys, args)
    local now = now_s()
    local s, p, gone

    check(keys, keys[6] and 6 or 5, args, args[4] and 4 or 3)

    s = session(keys[1], now)
    gone = not s or (s.device_id ~= args[2]
                     and (s.rec_dev ~= args[2] or not args[4]))
           and 'not_found' or s.state == 'ended' and 'session_ended'

    if gone then
        call('ZREM', keys[4], id_of(keys[1]))

        if keys[6] then
            recording.detach(keys[6], args[2], id_of(keys[1]), now)
        end

        return { s and gone or 'not_found' }
    end

    if s.device_id ~= args[2] then
        p = recording.invite(s, keys, args, now)

        if not p then
            return { 'conflict' }
        end

        ticket_put(keys[5], s.id, p.id, args[3])

        return { 'ok', session_obj(s), participant_obj(s, p), s.key_id,
                 s.key_name }
    end

    p = participant(keys[2], s.host_par)

    if not p or (p.state ~= 'invited'
                 and (p.state ~= 'away'
                      or call('HGET', keys[3], 'q:' .. p.id) ~= NEVER))
    then
        return { 'conflict' }
    end

    call('HSET', keys[1], 'invited', args[1])
    ticket_put(keys[5], s.id, p.id, args[3], s.host ~= '' and args[2] or nil)

    return { 'ok', session_obj(s), participant_obj(s, p), s.key_id,
             s.key_name }
end


-- Guest links: of a session a hash of link id -> JSON object of strings.  A
-- link's secret is known by its hash, its PIN by the hash of both.
--
-- A block of its own, as each of this kind should be: Lua has 200 names for
-- the whole of the library.

do

local LINKS_MAX = 16            -- guest links of a session
local PIN_TRIES = 5             -- wrong PINs that lock a link

local LINK = { 'id', 'role', 'name', 'external_id', 'secret', 'pin', 'tries',
               'max_uses', 'uses', 'created_at', 'expires_at', 'ticket_ttl' }


local link = {}


function link.get(lnks, id)
    local text = call('HGET', lnks, id)

    return text and cjson.decode(text)
end


function link.put(lnks, l)
    local out = {}

    for i, name in ipairs(LINK) do
        out[i] = '"' .. name .. '":' .. cjson.encode(l[name])
    end

    call('HSET', lnks, l.id, '{' .. table.concat(out, ',') .. '}')
end


function link.locked(l)
    return l.pin ~= '' and tonumber(l.tries) >= PIN_TRIES
end


function link.dead(l, now)
    return now >= tonumber(l.expires_at)
           or tonumber(l.uses) >= tonumber(l.max_uses)
end


-- What answers show; never the hashes.

function link.obj(l)
    return { 'id', l.id, 'role', l.role, 'name', l.name,
             'external_id', l.external_id, 'pin', l.pin ~= '' and '1' or '0',
             'locked', link.locked(l) and '1' or '0', 'max_uses', l.max_uses,
             'uses', l.uses, 'created_at', l.created_at,
             'expires_at', l.expires_at }
end


local function links(lnks)
    local flat = call('HGETALL', lnks)
    local list = {}

    for i = 2, #flat, 2 do
        list[#list + 1] = cjson.decode(flat[i])
    end

    table.sort(list, function(a, b)
        return a.created_at .. a.id < b.created_at .. b.id
    end)

    return list
end


-- The session of a link, for a caller who may see it; or nil and the reply.

function link.session(key, who, now)
    local s = session(key, now)
    local no

    if not s or s.kind ~= 'device' then
        return nil, { 'not_found' }
    end

    no = refused_session(who, s)

    return not no and s or nil, no
end


-- rs_link_create, guarded
-- KEYS: ses, lnks, idem.
-- ARGV: id, role, name, external_id, hash of the secret, hash of secret and
--       PIN (empty: none), max_uses, ttl_s, ticket ttl_s, body hash.
-- ok: created, link obj; or repeated, id of the first link.
-- Errors: idempotency_mismatch, not_found, forbidden (as in
--         rs_participant_add), session_ended, limit_reached.
-- O(links)

function lib.rs_link_create(keys, args, who)
    local now = now_s()
    local n = 0
    local s, no, l

    check(keys, 3, args, 10)

    s, no = link.session(keys[1], who, now)
    if not s then
        return no
    end

    no = too_lax(s, who) or repeated(keys[3], args[10], args[1])
    if no then
        return no
    end

    if s.state == 'ended' then
        return { 'session_ended' }
    end

    for _, old in ipairs(links(keys[2])) do
        if link.dead(old, now) then
            call('HDEL', keys[2], old.id)

        else
            n = n + 1
        end
    end

    if n >= LINKS_MAX then
        return { 'limit_reached' }
    end

    l = { id = args[1], role = args[2], name = args[3], external_id = args[4],
          secret = args[5], pin = args[6], tries = '0',
          max_uses = int(number(args[7])), uses = '0', created_at = int(now),
          expires_at = int(math.min(now + number(args[8]),
                                    tonumber(s.expires_at))),
          ticket_ttl = int(number(args[9])) }

    link.put(keys[2], l)
    call('EXPIREAT', keys[2], session_dies(s))
    remember(keys[3], args[10], l.id)

    who.detail = l.id

    return { 'ok', 'created', link.obj(l) }
end


-- rs_link_renew, guarded
-- KEYS: ses, lnks.  ARGV: id, hash of the secret, hash of secret and PIN.
-- ok: link obj.  Errors: not_found, session_ended.  O(1)

function lib.rs_link_renew(keys, args, who)
    local s, no = link.session(keys[1], who, now_s())
    local l

    check(keys, 2, args, 3)

    if not s then
        return no
    end

    if s.state == 'ended' then
        return { 'session_ended' }
    end

    l = link.get(keys[2], args[1])
    if not l then
        return { 'not_found' }
    end

    l.secret, l.pin = args[2], args[3]
    link.put(keys[2], l)

    return { 'ok', link.obj(l) }
end


-- rs_link_list, guarded
-- KEYS: ses, lnks.  ARGV: none.
-- ok: {link obj...}.  Errors: not_found.  O(links)

function lib.rs_link_list(keys, args, who)
    local s, no = link.session(keys[1], who, now_s())
    local out = {}

    check(keys, 2, args, 0)

    if not s then
        return no
    end

    for i, l in ipairs(links(keys[2])) do
        out[i] = link.obj(l)
    end

    return { 'ok', out }
end


-- rs_link_delete, guarded
-- KEYS: ses, lnks.  ARGV: id.
-- ok.  Errors: not_found.  O(1)

function lib.rs_link_delete(keys, args, who)
    local s, no = link.session(keys[1], who, now_s())

    check(keys, 2, args, 1)

    if not s then
        return no
    end

    who.detail = args[1]

    return { call('HDEL', keys[2], args[1]) == 1 and 'ok' or 'not_found' }
end


-- rs_link_use
-- KEYS: ses, par, lnks, tkt, audit.
-- ARGV: link id, hash of the secret, hash of secret and PIN (empty: none was
--       given), par id, name (empty: the link's), client's address, request
--       id.
-- ok: participant obj, expires_at of the ticket.
-- Errors: link_invalid (no such link or session, used up, expired, locked,
--         wrong PIN), pin_required, participants_full.  O(participants)
--
-- The fifth wrong PIN locks the link for good.  Whoever has the secret leaves
-- a line in the audit with each use, each wrong PIN and the first try after
-- that: PIN_TRIES + 1 + max_uses of a link.

function link.said(key, l, s, args, reason, detail)
    audit(key, { kind = 'guest', id = l.id, addr = args[6], rid = args[7],
                 name = args[5] ~= '' and args[5] or l.name },
          { verb = 'join', object = s.id, detail = detail, reason = reason,
            outcome = reason == '' and 'allow' or 'deny' })
end


function link.pin(keys, l, s, args)
    if l.pin == '' or (args[3] == l.pin and not link.locked(l)) then
        return nil
    end

    if args[3] == '' and not link.locked(l) then
        return { 'pin_required' }
    end

    if tonumber(l.tries) <= PIN_TRIES then
        l.tries = int(tonumber(l.tries) + 1)
        link.put(keys[3], l)
        link.said(keys[5], l, s, args, 'link_invalid',
                  link.locked(l) and 'pin, locked' or 'pin')
    end

    return { 'link_invalid' }
end


function lib.rs_link_use(keys, args)
    local now = now_s()
    local s, l, no, list, max, p

    check(keys, 5, args, 7)

    s = session(keys[1], now)
    l = s and s.state ~= 'ended' and link.get(keys[3], args[1])

    if not l or l.secret ~= args[2] or link.dead(l, now) then
        return { 'link_invalid' }
    end

    no = link.pin(keys, l, s, args)
    if no then
        return no
    end

    list = participants(keys[2])
    max = tonumber(s.max_par)

    if places(list, now, s.rec_par) >= max or #list >= max * PAR_TOTAL then
        return { 'participants_full' }
    end

    l.uses = int(tonumber(l.uses) + 1)
    link.put(keys[3], l)

    p = participant_new(args[4], l.role, args[5] ~= '' and args[5] or l.name,
                        l.external_id, tonumber(list[#list].seq) + 1,
                        int(now + number(l.ticket_ttl)))

    p.guest = '1'
    participant_put(keys[2], p)
    ticket_put(keys[4], s.id, p.id, l.ticket_ttl)
    link.said(keys[5], l, s, args, '', p.id)

    return { 'ok', participant_obj(s, p), p['until'] }
end

end


-- Help: a session whose host is a browser.  Whoever types the code of eight
-- digits that somebody told him is let in as the host, once.
--
-- A code says of no tenant, so which session it is for is kept for the whole
-- fleet, by the code's hash; the session knows that hash, too, and only the
-- newest of its codes counts.

do

local HELP_TRIES = 5            -- wrong codes of one address
local HELP_WINDOW = 600         -- s, in which they are counted


-- Waits for its host, who is to be a browser.

local function helpless(s, par)
    local p = s and s.kind == 'device' and s.device_id == ''
              and s.state ~= 'ended' and participant(par, s.host_par)

    return p and p.state == 'invited' and p or nil
end


-- rs_help_create, guarded
-- KEYS: ses, par.  ARGV: hash of the code, ttl_s.
-- ok: expires_at, hash of the code of before that was not used, or empty.  It
-- is void, and so is the ticket that one was changed for.
-- Errors: not_found, forbidden (as in rs_participant_add), session_ended,
--         conflict (the host is a device, or is here already).  O(1)

function lib.rs_help_create(keys, args, who)
    local now = now_s()
    local s, no, til

    check(keys, 2, args, 2)

    s = session(keys[1], now)

    if not s or s.kind ~= 'device' then
        return { 'not_found' }
    end

    no = refused_session(who, s) or too_lax(s, who)
    if no then
        return no
    end

    if s.state == 'ended' then
        return { 'session_ended' }
    end

    if not helpless(s, keys[2]) then
        return { 'conflict' }
    end

    til = int(math.min(now + number(args[2]), tonumber(s.expires_at)))
    call('HSET', keys[1], 'help', args[1], 'help_until', til)
    call('HDEL', keys[1], 'help_ticket')

    return { 'ok', til, s.help }
end


-- rs_help_put
-- KEYS: help, help of the session's code of before (or the first again).
-- ARGV: tenant, ses id, ttl_s.
-- ok; or conflict: another session has this code.  The one of before goes: a
-- session has one.  O(1)

function lib.rs_help_put(keys, args)
    local old

    check(keys, 2, args, 3)

    if call('EXISTS', keys[1]) == 1 then
        return { 'conflict' }
    end

    old = call('HMGET', keys[2], 'tenant', 'ses')

    if old[1] == args[1] and old[2] == args[2] then
        call('DEL', keys[2])
    end

    call('HSET', keys[1], 'tenant', args[1], 'ses', args[2])
    call('EXPIRE', keys[1], int(number(args[3])))

    return { 'ok' }
end


-- rs_help_take
-- KEYS: help, tries.  ARGV: tenant (empty: any).
-- ok: tenant, ses id; the code is gone.  Errors: link_invalid (there is no
-- such code, or it is another tenant's), rate_limited and s to wait: wrong
-- codes of this address.  O(1)

function lib.rs_help_take(keys, args)
    local now = now_s()
    local h, since, found

    check(keys, 2, args, 1)

    h = call('HMGET', keys[2], 'count', 'since')
    since = tonumber(h[2] or '0')

    if now - since < HELP_WINDOW and tonumber(h[1]) >= HELP_TRIES then
        return { 'rate_limited', int(since + HELP_WINDOW - now) }
    end

    found = call('HMGET', keys[1], 'tenant', 'ses')

    if not found[1] or (args[1] ~= '' and args[1] ~= found[1]) then

        if now - since >= HELP_WINDOW then
            call('HSET', keys[2], 'count', '0', 'since', int(now))
            call('EXPIREAT', keys[2], int(now + HELP_WINDOW))
        end

        call('HINCRBY', keys[2], 'count', '1')

        return { 'link_invalid' }
    end

    call('DEL', keys[1])

    return { 'ok', found[1], found[2] }
end


-- rs_help_use
-- KEYS: ses, par, tkt, audit.
-- ARGV: hash of the code, name or empty, ticket ttl_s, client's address,
--       request id.
-- ok: session obj, participant obj, expires_at of the ticket, name of who
--     made the session.  Errors: link_invalid.  O(1)

function lib.rs_help_use(keys, args)
    local now = now_s()
    local s, p

    check(keys, 4, args, 5)

    s = session(keys[1], now)
    p = helpless(s, keys[2])

    if not p or s.help ~= args[1] or now >= tonumber(s.help_until) then
        return { 'link_invalid' }
    end

    call('HDEL', keys[1], 'help', 'help_until')
    call('HSET', keys[1], 'help_ticket', id_of(keys[3]))

    p.name = args[2]
    p['until'] = int(now + number(args[3]))
    participant_put(keys[2], p)
    ticket_put(keys[3], s.id, p.id, args[3])

    audit(keys[4], { kind = 'guest', id = p.id, name = p.name,
                     addr = args[4], rid = args[5] },
          { verb = 'help', object = s.id, outcome = 'allow', reason = '' })

    return { 'ok', session_obj(s), participant_obj(s, p), p['until'],
             s.key_name }
end

end


-- Bans

do

local BANS_MAX = 10000          -- bans of the fleet that are kept
local BANS_STEP = 1000          -- of them told by one call


-- rs_ban_fail
-- KEYS: ban, bans.
-- ARGV: failures, window_s, time_s, max_s.
-- ok: s for which the subject of the key is banned, 0: it is not.  Publishes
--     `<subject> <s>` on rs:ban when this failure bans.  O(log bans)
--
-- As rs_ban of librs: so many failures in the window ban, each time for twice
-- as long; who has none for window and max begins anew: the key is gone then.

function lib.rs_ban_fail(keys, args)
    check(keys, 2, args, 4)

    local failures, window = number(args[1]), number(args[2])
    local time, max = number(args[3]), number(args[4])
    local now = now_s()
    local h = call('HMGET', keys[1], 'since', 'count', 'level')
    local since = tonumber(h[1] or '0')
    local count = tonumber(h[2] or '0')
    local level = tonumber(h[3] or '0')
    local ban = 0

    if now < since then
        return { 'ok', int(since - now) }
    end

    if count == 0 or now - since >= window then
        since, count = now, 0
    end

    count = count + 1

    if count >= failures then
        ban = math.min(time * 2 ^ level, max)
        since, count, level = now + ban, 0, math.min(level + 1, 31)

        call('ZREMRANGEBYSCORE', keys[2], '-inf', int(now))

        if call('ZCARD', keys[2]) >= BANS_MAX then
            call('ZREM', keys[2], unpack(call('ZRANGE', keys[2], '0', '0')))
        end

        call('ZADD', keys[2], int(since), id_of(keys[1]))
        call('PUBLISH', 'rs:ban', id_of(keys[1]) .. ' ' .. int(ban))
    end

    call('HSET', keys[1], 'since', int(since), 'count', int(count), 'level',
         int(level))
    call('EXPIREAT', keys[1], int(since + window + (level > 0 and max or 0)))

    return { 'ok', int(ban) }
end


-- rs_ban_list
-- KEYS: bans.  ARGV: at most so many.
-- ok: {subject, s, ...}, the longest first.  O(log bans + answer)

function lib.rs_ban_list(keys, args)
    check(keys, 1, args, 1)

    local now = now_s()
    local list = call('ZRANGE', keys[1], '+inf', '(' .. int(now), 'BYSCORE',
                      'REV', 'LIMIT', '0',
                      int(math.min(number(args[1]), BANS_STEP)),
                      'WITHSCORES')

    for i = 2, #list, 2 do
        list[i] = int(tonumber(list[i]) - now)
    end

    return { 'ok', list }
end


-- rs_ban_lift
-- KEYS: ban, bans.  ARGV: none.
-- ok, or not_found: nothing is known of it.  Publishes `<subject> 0` on
-- rs:ban.  O(log bans)

function lib.rs_ban_lift(keys, args)
    check(keys, 2, args, 0)

    call('ZREM', keys[2], id_of(keys[1]))
    call('PUBLISH', 'rs:ban', id_of(keys[1]) .. ' 0')

    return { call('DEL', keys[1]) == 1 and 'ok' or 'not_found' }
end


-- Who may do what: groups, policies, grants, API keys, users, the audit.
--
-- Each kind is one hash of a tenant, id -> JSON object of strings, so that a
-- function which has to look something up (the group of a device, the policy
-- of a group) needs no key that only it can know.  Their number is bounded.

local GROUP = { 'name', 'policy', 'created_at', 'version' }
local POLICY = { 'consent', 'relay_only', 'max_ttl_s', 'view_only',
                 'clipboard', 'files', 'sound', 'recording', 'recorder_lost',
                 'urls', 'mask', 'no_submit', 'downloads', 'updated_at' }
local GRANT = { 'subject', 'group_id', 'verbs', 'consent', 'created_at',
                'created_by' }


local function entry_put(hash, id, o, names)
    local out = {}

    for i, name in ipairs(names) do
        out[i] = '"' .. name .. '":' .. cjson.encode(o[name] or '')
    end

    call('HSET', hash, id, '{' .. table.concat(out, ',') .. '}')
end


local function entry_obj(id, o, names)
    local flat = { 'id', id }

    for _, name in ipairs(names) do
        flat[#flat + 1] = name
        flat[#flat + 1] = o[name] or ''
    end

    return flat
end


-- A page by id: the cursor is the last one given.  seen may be nil.

local function entry_page(hash, cursor, limit, names, seen)
    local flat = call('HGETALL', hash)
    local ids, text, list = {}, {}, {}

    limit = math.max(1, math.min(number(limit), PAGE_MAX))

    for i = 1, #flat, 2 do
        if flat[i] > cursor and (not seen or seen(flat[i])) then
            ids[#ids + 1] = flat[i]
            text[flat[i]] = flat[i + 1]
        end
    end

    table.sort(ids)

    for i = 1, math.min(limit, #ids) do
        list[i] = entry_obj(ids[i], entry_read(text[ids[i]]), names)
    end

    return { 'ok', #ids > limit and ids[limit] or '', list }
end


-- rs_group_create, guarded
-- KEYS: grps, pols, idem.
-- ARGV: id, name, policy or empty, body hash.
-- ok: created|repeated, group obj; or repeated, id of the first one.
-- Errors: idempotency_mismatch, not_found (the one made first is gone; with
--         "policy": there is no such policy), limit_reached.  O(1)

function lib.rs_group_create(keys, args, who)
    local no, ours = repeated(keys[3], args[4], args[1])
    local g

    check(keys, 3, args, 4)

    if no then
        return no
    end

    who.object = args[1]

    if ours then
        g = entry(keys[1], args[1])
        return g and { 'ok', 'repeated', entry_obj(args[1], g, GROUP) }
               or { 'not_found' }
    end

    if args[3] ~= '' and call('HEXISTS', keys[2], args[3]) == 0 then
        return { 'not_found', 'policy' }
    end

    if call('HLEN', keys[1]) >= GROUPS_MAX then
        return { 'limit_reached' }
    end

    g = { name = args[2], policy = args[3], created_at = int(now_s()),
          version = '1' }
    entry_put(keys[1], args[1], g, GROUP)
    remember(keys[3], args[4], args[1])

    return { 'ok', 'created', entry_obj(args[1], g, GROUP) }
end


-- rs_group_list, guarded
-- KEYS: grps.  ARGV: cursor, limit.
-- ok: next cursor, {group obj...}, by id.  O(groups)

function lib.rs_group_list(keys, args, who)
    check(keys, 1, args, 2)

    return entry_page(keys[1], args[1], args[2], GROUP, function(id)
        return allowed(who, 'groups:read', id)
    end)
end


-- rs_group_get, guarded
-- KEYS: grps.  ARGV: id.
-- ok: group obj.  Errors: not_found.  O(1)

function lib.rs_group_get(keys, args, who)
    local g, no

    check(keys, 1, args, 1)

    who.object = args[1]
    g = entry(keys[1], args[1])
    no = refused(who, args[1], 'groups:read')

    return no or (g and { 'ok', entry_obj(args[1], g, GROUP) })
           or { 'not_found' }
end


-- rs_group_patch, guarded
-- KEYS: grps, pols.
-- ARGV: id, version wanted, then field, value, ... (name, policy)
-- ok: group obj.  Errors: not_found (with "policy": there is no such policy),
--                 precondition_failed, unknown_field.  O(1)

function lib.rs_group_patch(keys, args, who)
    local g

    check(keys, 2, args, math.max(2, #args - #args % 2))

    who.object = args[1]
    g = entry(keys[1], args[1])

    if not g then
        return { 'not_found' }
    end

    if g.version ~= args[2] then
        return { 'precondition_failed' }
    end

    for i = 3, #args, 2 do
        if args[i] ~= 'name' and args[i] ~= 'policy' then
            return { 'unknown_field' }
        end

        if args[i] == 'policy' and args[i + 1] ~= ''
           and call('HEXISTS', keys[2], args[i + 1]) == 0
        then
            return { 'not_found', 'policy' }
        end

        g[args[i]] = args[i + 1]
    end

    g.version = int(tonumber(g.version) + 1)
    entry_put(keys[1], args[1], g, GROUP)

    return { 'ok', entry_obj(args[1], g, GROUP) }
end


-- What the check of a call reads of a subject's grants, made anew.  Returns
-- how many there are.

local function grants_packed(all, gsub, subject)
    local flat = call('HGETALL', all)
    local lines = {}

    for i = 2, #flat, 2 do
        local g = cjson.decode(flat[i])

        if g.subject == subject then
            lines[#lines + 1] = g.group_id .. ' '
                                .. (g.consent ~= '' and g.consent or '-')
                                .. ' ' .. g.verbs .. '\n'
        end
    end

    if #lines > 0 then
        call('HSET', gsub, subject, table.concat(lines))

    else
        call('HDEL', gsub, subject)
    end

    return #lines
end


-- rs_group_delete, guarded
-- KEYS: grps, grants, gdev.  ARGV: id.
-- ok.  Its grants go with it.  Errors: not_found, conflict (there are devices
--      in it).  O(grants)

function lib.rs_group_delete(keys, args, who)
    local flat, subjects

    check(keys, 3, args, 1)

    who.object = args[1]

    if call('HEXISTS', keys[1], args[1]) == 0 then
        delete_entry_again(keys[1], args[1])
        return { 'not_found' }
    end

    if tonumber(call('HGET', keys[3], args[1]) or '0') > 0 then
        return { 'conflict' }
    end

    flat = call('HGETALL', keys[2])
    subjects = {}

    for i = 1, #flat, 2 do
        local g = cjson.decode(flat[i + 1])

        if g.group_id == args[1] then
            call('HDEL', keys[2], flat[i])
            subjects[g.subject] = true
        end
    end

    for subject in pairs(subjects) do
        grants_packed(keys[2], who.gsub, subject)
    end

    call('HDEL', keys[1], args[1])
    call('HDEL', keys[3], args[1])
    watch.rights(keys[1])

    return { 'ok' }
end


-- rs_policy_put, guarded
-- KEYS: pols.
-- ARGV: name, consent or empty, relay_only (1 or 0), max_ttl_s or empty,
--       view_only (1 or 0), clipboard or empty, files or empty, sound (1 or
--       0), recording or empty, recorder_lost or empty, urls and mask (JSON
--       arrays or empty), no_submit (1 or 0), downloads or empty (those six
--       only from version 8 on).
-- ok: created|replaced, policy obj.  Errors: limit_reached.  O(1)

function lib.rs_policy_put(keys, args, who)
    local there, p

    check(keys, 1, args, (#args == 8 or #args == 10) and #args or 14)

    who.object = args[1]
    there = call('HEXISTS', keys[1], args[1]) == 1

    if not there and call('HLEN', keys[1]) >= POLICIES_MAX then
        return { 'limit_reached' }
    end

    if args[2] ~= '' and not CONSENT[args[2]] then
        error('rs: "' .. args[2] .. '" is no consent')
    end

    for i = 6, 7 do
        if args[i] ~= '' and not WAYS[args[i]] then
            error('rs: "' .. args[i] .. '" is no direction')
        end
    end

    if (args[14] or '') ~= '' and not page.downloads[args[14]] then
        error('rs: "' .. args[14] .. '" is no way of downloads')
    end

    page.stored({ urls = args[11], mask = args[12] })

    p = { consent = args[2], relay_only = args[3] == '1' and '1' or '0',
          max_ttl_s = args[4] ~= '' and int(number(args[4])) or '',
          view_only = args[5] == '1' and '1' or '0', clipboard = args[6],
          files = args[7], sound = args[8] == '0' and '0' or '1',
          recording = recording.word(args[9] or '', recording.kinds),
          recorder_lost = recording.word(args[10] or '', recording.losses),
          urls = args[11] or '', mask = args[12] or '',
          no_submit = args[13] == '1' and '1' or '0',
          downloads = args[14] or '',
          updated_at = int(now_s()) }
    entry_put(keys[1], args[1], p, POLICY)

    return { 'ok', there and 'replaced' or 'created',
             entry_obj(args[1], p, POLICY) }
end


-- rs_policy_list, guarded
-- KEYS: pols.  ARGV: cursor, limit.
-- ok: next cursor, {policy obj...}, by name.  O(policies)

function lib.rs_policy_list(keys, args)
    check(keys, 1, args, 2)

    return entry_page(keys[1], args[1], args[2], POLICY)
end


-- rs_policy_get, guarded
-- KEYS: pols.  ARGV: name.
-- ok: policy obj.  Errors: not_found.  O(1)

function lib.rs_policy_get(keys, args, who)
    local p

    check(keys, 1, args, 1)

    who.object = args[1]
    p = entry(keys[1], args[1])

    return p and { 'ok', entry_obj(args[1], p, POLICY) } or { 'not_found' }
end


-- rs_policy_delete, guarded
-- KEYS: pols, grps.  ARGV: name.
-- ok.  Errors: not_found, conflict (a group has it).  O(groups)

function lib.rs_policy_delete(keys, args, who)
    local flat

    check(keys, 2, args, 1)

    who.object = args[1]
    flat = call('HGETALL', keys[2])

    for i = 2, #flat, 2 do
        if cjson.decode(flat[i]).policy == args[1] then
            return { 'conflict' }
        end
    end

    if call('HDEL', keys[1], args[1]) == 0 then
        delete_entry_again(keys[1], args[1])
        return { 'not_found' }
    end

    return { 'ok' }
end


-- rs_grant_create, guarded
-- KEYS: grants, grps, idem.
-- ARGV: id, subject, group id or *, verbs by spaces, consent or empty,
--       body hash.
-- ok: created|repeated, grant obj; or repeated, id of the first one.
-- Errors: forbidden (a verb the caller has not for the whole tenant),
--         idempotency_mismatch, not_found (the one made first is gone; with
--         "group_id": there is no such group), limit_reached.  O(grants)

function lib.rs_grant_create(keys, args, who)
    local id, subject, group = args[1], args[2], args[3]
    local no, ours, g, verbs

    check(keys, 3, args, 6)

    verbs = table.concat(words(args[4]), ' ')
    who.object, who.detail = id, subject .. ' ' .. group .. ' ' .. verbs

    for _, verb in ipairs(words(verbs)) do
        if not allowed_wide(who, verb) then
            return { 'forbidden' }
        end
    end

    no, ours = repeated(keys[3], args[6], id)
    if no then
        return no
    end

    if ours then
        g = entry(keys[1], id)
        return g and { 'ok', 'repeated', entry_obj(id, g, GRANT) }
               or { 'not_found' }
    end

    if group ~= '*' and call('HEXISTS', keys[2], group) == 0 then
        return { 'not_found', 'group_id' }
    end

    if args[5] ~= '' and not CONSENT[args[5]] then
        error('rs: "' .. args[5] .. '" is no consent')
    end

    g = { subject = subject, group_id = group, verbs = verbs,
          consent = args[5], created_at = int(now_s()), created_by = who.id }

    if call('HLEN', keys[1]) >= GRANTS_MAX then
        return { 'limit_reached' }
    end

    entry_put(keys[1], id, g, GRANT)

    if grants_packed(keys[1], who.gsub, subject) > GRANTS_SUBJECT then
        call('HDEL', keys[1], id)
        grants_packed(keys[1], who.gsub, subject)
        return { 'limit_reached' }
    end

    remember(keys[3], args[6], id)
    watch.rights(keys[1])

    return { 'ok', 'created', entry_obj(id, g, GRANT) }
end


-- rs_grant_list, guarded
-- KEYS: grants.  ARGV: cursor, limit.
-- ok: next cursor, {grant obj...}, by id.  O(grants)

function lib.rs_grant_list(keys, args)
    check(keys, 1, args, 2)

    return entry_page(keys[1], args[1], args[2], GRANT)
end


-- rs_grant_get, guarded
-- KEYS: grants.  ARGV: id.
-- ok: grant obj.  Errors: not_found.  O(1)

function lib.rs_grant_get(keys, args, who)
    local g

    check(keys, 1, args, 1)

    who.object = args[1]
    g = entry(keys[1], args[1])

    return g and { 'ok', entry_obj(args[1], g, GRANT) } or { 'not_found' }
end


-- rs_grant_delete, guarded
-- KEYS: grants.  ARGV: id.
-- ok.  Errors: not_found.  O(grants)

function lib.rs_grant_delete(keys, args, who)
    local g

    check(keys, 1, args, 1)

    who.object = args[1]
    g = entry(keys[1], args[1])

    if not g then
        delete_entry_again(keys[1], args[1])
        return { 'not_found' }
    end

    who.detail = g.subject .. ' ' .. g.group_id
    call('HDEL', keys[1], args[1])
    grants_packed(keys[1], who.gsub, g.subject)
    watch.rights(keys[1])

    return { 'ok' }
end


-- rs_key_create, guarded
-- KEYS: key, keys, idem.
-- ARGV: id, name, scopes by spaces, granted (1 or 0), expires_at or empty,
--       body hash.
-- ok: created, key obj; or repeated, id of the first one, whose secret was
--     told once.
-- Errors: forbidden (a scope the caller has not for the whole tenant, or a
--         life longer than its own), idempotency_mismatch, limit_reached.
-- O(scopes)

function lib.rs_key_create(keys, args, who)
    local no, ours, k

    check(keys, 3, args, 6)

    who.object, who.detail = args[1], args[3]

    for _, scope in ipairs(words(args[3])) do
        if not allowed_wide(who, scope) then
            return { 'forbidden' }
        end
    end

    if who.expires_at
       and (args[5] == '' or number(args[5]) > who.expires_at)
    then
        return { 'forbidden' }
    end

    no, ours = repeated(keys[3], args[6], args[1])
    if no or ours then
        return no or { 'ok', 'repeated', args[1] }
    end

    if call('HLEN', keys[2]) >= KEYS_MAX then
        return { 'limit_reached' }
    end

    k = key_put(keys[1], keys[2], args[1], args[2], args[3],
                args[4] == '1' and '1' or '',
                args[5] ~= '' and int(number(args[5])) or '')
    remember(keys[3], args[6], args[1])

    return { 'ok', 'created', entry_obj(args[1], k, KEY_OBJ) }
end


-- rs_bootstrap_put
-- KEYS: boot, keys.  ARGV: hash of the token's secret.
-- ok.  Errors: conflict (the tenant has a key).  O(1)

function lib.rs_bootstrap_put(keys, args)
    check(keys, 2, args, 1)

    if call('HLEN', keys[2]) > 0 then
        return { 'conflict' }
    end

    call('HSET', keys[1], 'hash', args[1])
    call('EXPIRE', keys[1], '600')

    return { 'ok' }
end


-- rs_bootstrap_use
-- KEYS: boot, key, keys, audit.
-- ARGV: hash of the token's secret, id, name, client's address, request id.
-- ok: created, key obj: of a key for everything.  Errors: unauthenticated
-- (another token, or none any more; the tenant has a key).  O(1)

function lib.rs_bootstrap_use(keys, args)
    local k

    check(keys, 4, args, 5)

    if call('HGET', keys[1], 'hash') ~= args[1] or call('HLEN', keys[3]) > 0
    then
        return { 'unauthenticated' }
    end

    call('DEL', keys[1])
    k = key_put(keys[2], keys[3], args[2], args[3], '*', '', '')

    audit(keys[4], { kind = 'bootstrap', id = '', name = '', addr = args[4],
                     rid = args[5] },
          { verb = 'keys:write', object = args[2], outcome = 'allow',
            detail = '*' })

    return { 'ok', 'created', entry_obj(args[2], k, KEY_OBJ) }
end


-- rs_login_put
-- KEYS: login.  ARGV: name, scopes by spaces, ttl_s of the key to come.
-- ok.  O(1)

function lib.rs_login_put(keys, args)
    check(keys, 1, args, 3)

    call('HSET', keys[1], 'name', args[1], 'scopes', args[2],
         'ttl_s', int(number(args[3])))
    call('EXPIRE', keys[1], '600')

    return { 'ok' }
end


-- rs_login_use
-- KEYS: login, key, keys, audit.  ARGV: id, client's address, request id.
-- ok: created, key obj.  Errors: unauthenticated (no such link, or not any
-- more), limit_reached (keys of the tenant).  O(1)

function lib.rs_login_use(keys, args)
    local l, k

    check(keys, 4, args, 3)

    l = call('HMGET', keys[1], 'name', 'scopes', 'ttl_s')

    if not l[1] then
        return { 'unauthenticated' }
    end

    if call('HLEN', keys[3]) >= KEYS_MAX then
        return { 'limit_reached' }
    end

    call('DEL', keys[1])
    k = key_put(keys[2], keys[3], args[1], l[1], l[2], '',
                int(now_s() + number(l[3])))

    audit(keys[4], { kind = 'login', id = '', name = '', addr = args[2],
                     rid = args[3] },
          { verb = 'keys:write', object = args[1], outcome = 'allow',
            detail = l[2] })

    return { 'ok', 'created', entry_obj(args[1], k, KEY_OBJ) }
end


-- rs_key_page, guarded
-- KEYS: keys.  ARGV: cursor, limit.
-- ok: next cursor, {key obj...}, by id.  O(keys)

function lib.rs_key_page(keys, args)
    check(keys, 1, args, 2)

    return entry_page(keys[1], args[1], args[2], KEY_OBJ)
end


-- rs_key_find, guarded
-- KEYS: keys.  ARGV: id.
-- ok: key obj, its hash.  Errors: not_found.  O(1)

function lib.rs_key_find(keys, args, who)
    local k

    check(keys, 1, args, 1)

    who.object = args[1]
    k = entry(keys[1], args[1])

    return k and { 'ok', entry_obj(args[1], k, KEY_OBJ), k.hash }
           or { 'not_found' }
end


-- rs_key_revoke, guarded
-- KEYS: key, keys.  ARGV: id.
-- ok.  Errors: not_found (a write as well).  O(1)

function lib.rs_key_revoke(keys, args, who)
    local gone = call('HGET', keys[1], 'id') ~= args[1]

    check(keys, 2, args, 1)

    who.object = args[1]

    if not gone then
        call('DEL', keys[1])
    end

    gone = call('HDEL', keys[2], args[1]) == 0 and gone

    if gone then
        delete_entry_again(keys[2], args[1])

    else
        watch.rights(keys[2])
    end

    return { gone and 'not_found' or 'ok' }
end


-- rs_user_revoke, guarded
-- KEYS: usr, uses, uin.  ARGV: which ("own" or "all"), ended ses id...
-- ok: {session id...} for the caller to end: his own, or besides those of
--     others that he takes part in, but those that have been ended.  Tokens
--     that the user has by now are void, even where the clock of the issuer is
--     ahead.  Everybody may do this to himself, with no verb.
-- O(log sessions)

function lib.rs_user_revoke(keys, args, who)
    local now = now_s()
    local seen, live

    check(keys, 3, args, math.max(1, math.min(#args, 1 + 2 * DSES_MAX)))

    who.object = id_of(keys[1])

    if who.object == who.id and who.kind == 'user' then
        who.verb = 'me:sign-out'

    elseif not allowed_wide(who, 'users:write') then
        return { 'forbidden' }
    end

    -- never back, and not before a token that has been seen

    seen = call('HMGET', keys[1], 'not_before', 'iat')
    call('HSET', keys[1], 'not_before',
         int(math.max(now, tonumber(seen[1] or '0'),
                      tonumber(seen[2] or '0'))))
    call('EXPIRE', keys[1], int(USER_TTL))
    watch.rights(keys[1])

    if args[2] then
        call('ZREM', keys[3], unpack(args, 2))
    end

    live = live_sessions(keys[2], now)

    for _, id in ipairs(args[1] == 'all' and live_sessions(keys[3], now)
                        or {})
    do
        live[#live + 1] = id
    end

    return { 'ok', live }
end


-- rs_audit_list, guarded
-- KEYS: none.  ARGV: cursor or empty, limit, order (old or new first).
-- ok: next cursor, {{position, field, value...}...}.
-- Errors: invalid_value (the cursor).  O(limit)

function lib.rs_audit_list(keys, args, who)
    local limit = math.max(1, math.min(number(args[2] or ''), PAGE_MAX))
    local new = args[3] == 'new'
    local from = args[1]
    local found, list

    check(keys, 0, args, 3)

    if from ~= '' and not position(from) then
        return { 'invalid_value' }
    end

    from = from ~= '' and '(' .. from or (new and '+' or '-')
    found = call(new and 'XREVRANGE' or 'XRANGE', who.audit, from,
                 new and '-' or '+', 'COUNT', int(limit + 1))
    list = {}

    for i = 1, math.min(limit, #found) do
        list[i] = { found[i][1], unpack(found[i][2]) }
    end

    return { 'ok', #found > limit and found[limit][1] or '', list }
end


-- rs_audit_trim, guarded
-- KEYS: none.  ARGV: position of the last line to remove.
-- ok: done|more, how many went.  At most 10000 a call.
-- Errors: invalid_value (the position).  O(lines)

function lib.rs_audit_trim(keys, args, who)
    local found, last, e, n

    check(keys, 0, args, 1)

    if not position(args[1]) then
        return { 'invalid_value' }
    end

    found = call('XRANGE', who.audit, '-', args[1], 'COUNT',
                 int(AUDIT_TRIM + 1))
    last = found[math.min(#found, AUDIT_TRIM)]
    who.detail = 'through ' .. args[1]

    if not last then
        return { 'ok', 'done', '0' }
    end

    e, n = position(last[1])
    call('XTRIM', who.audit, 'MINID', '=', int(e) .. '-' .. int(n + 1))

    return { 'ok', #found > AUDIT_TRIM and 'more' or 'done',
             int(math.min(#found, AUDIT_TRIM)) }
end


-- rs_denied
-- KEYS: denied.  ARGV: what was shown, reason, address, request id, detail.
-- ok.  Who was not recognised leaves a line of the fleet's, never a key that
--      he could make up.  O(1)

function lib.rs_denied(keys, args)
    check(keys, 1, args, 5)

    for i, text in ipairs(args) do
        args[i] = cut(text, AUDIT_TEXT)
    end

    call('XADD', keys[1], 'MAXLEN', '~', int(DENIED_MAX), '*', 'at',
         int(now_s()), 'what', args[1], 'reason', args[2], 'addr', args[3],
         'rid', args[4], 'detail', args[5])

    return { 'ok' }
end


-- Events, read

-- The position of the newest one; 0-0: there is none.

function event.newest(stream)
    local last = call('XREVRANGE', stream, '+', '-', 'COUNT', '1')[1]

    return last and last[1] or '0-0'
end


-- Where to read on from a position that a reader shows, and whether something
-- may have been missed: what it points at was cut off meanwhile, or is none of
-- this server's, which took over from one that had given it out.

function event.from(stream, pos)
    local newest

    if pos == '0-0' or #call('XRANGE', stream, pos, pos, 'COUNT', '1') > 0
    then
        return pos, false
    end

    newest = event.newest(stream)

    return older(newest, pos) and newest or pos, true
end


-- At most count events after pos of those that shown() lets him see, the
-- position until which was read, and whether there is more.

function event.page(stream, pos, count, shown)
    local found = call('XRANGE', stream, '(' .. pos, '+', 'COUNT',
                       int(event.skip))
    local list = {}

    for i, e in ipairs(found) do
        local f = e[2]

        -- written in one order: t, w, g, b

        if shown(f[4], f[6]) then
            list[#list + 1] = { e[1], f[2], f[8] }
        end

        if #list == count then
            return list, e[1], i < #found or #found == event.skip
        end
    end

    return list, #found > 0 and found[#found][1] or pos,
           #found == event.skip
end


function event.read(stream, pos, count, shown)
    local list, last, lost, more

    count = math.max(1, math.min(number(count), PAGE_MAX))

    if pos == '' then
        return { event.newest(stream), '0', '0', {} }
    end

    if not position(pos) then
        return nil
    end

    pos, lost = event.from(stream, pos)
    list, last, more = event.page(stream, pos, count, shown)

    return { last, lost and '1' or '0', more and '1' or '0', list }
end


-- rs_event_list, guarded
-- KEYS: ev.
-- ARGV: position (empty: none, 0-0: before all), count.
-- ok: position to go on from, 1 when something may have been missed before
--     these (else 0), 1 when there is more (else 0), {{position, type, JSON
--     without its beginning}...}, the caller's id, when his key ends or empty.
-- Only of what the caller may see now.
-- Errors: invalid_value (the position).  O(events looked at, at most 1000)

function lib.rs_event_list(keys, args, who)
    local may = { d = {}, s = {}, t = {} }
    local all = {}
    local r

    check(keys, 1, args, 2)

    for what, verb in pairs({ d = 'devices:read', s = 'sessions:read',
                              t = 'tunnels:read' })
    do
        local text = watch.groups(who, verb)

        all[what] = text == '*'
        may[what] = set_of(words(text))
    end

    r = event.read(keys[1], args[1], args[2], function(what, group)
        return all[what] or may[what][group]
    end)

    if not r then
        return { 'invalid_value' }
    end

    return { 'ok', r[1], r[2], r[3], r[4], who.id,
             who.expires_at and int(who.expires_at) or '' }
end


-- rs_event_tail
-- KEYS: ev.  ARGV: as rs_event_list.
-- ok: as rs_event_list up to the events: of the whole tenant, for its
--     webhooks.  Errors: invalid_value.  O(count)

function lib.rs_event_tail(keys, args)
    local r

    check(keys, 1, args, 2)

    r = event.read(keys[1], args[1], args[2], function()
        return true
    end)

    return r and { 'ok', unpack(r) } or { 'invalid_value' }
end


-- Webhooks: id -> JSON of strings in "hooks", and what the daemon that
-- delivers says of each in "hookst".  The secret is made of the id, its number
-- and a key that Redis never sees.

local HOOK = { 'name', 'url', 'types', 'enabled', 'created_at', 'created_by',
               'secret_no', 'secret_at', 'version' }
local HOOK_STATE = { 'pos', 'epoch', 'failures', 'delivered', 'given_up',
                     'tried_at', 'delivered_at', 'status', 'error',
                     'failing_since' }

local HOOKS_MAX = 32            -- of one tenant
local HOOK_TENANTS = 10000      -- that have any

local hook = {}


function hook.obj(keys, id, h)
    local state = entry(keys[2], id) or {}
    local flat = entry_obj(id, h, HOOK)

    for _, name in ipairs(HOOK_STATE) do
        flat[#flat + 1] = name
        flat[#flat + 1] = state[name] or ''
    end

    return flat
end


-- rs_webhook_tenant
-- KEYS: hookt.  ARGV: tenant.
-- ok: daemons look for the tenant's webhooks.  Errors: limit_reached.
-- O(log tenants)

function lib.rs_webhook_tenant(keys, args)
    check(keys, 1, args, 1)

    if not call('ZSCORE', keys[1], args[1])
       and call('ZCARD', keys[1]) >= HOOK_TENANTS
    then
        return { 'limit_reached' }
    end

    call('ZADD', keys[1], '0', args[1])

    return { 'ok' }
end


-- rs_webhook_tenants
-- KEYS: hookt.  ARGV: tenant after which to go on, or empty.
-- ok: {tenant...}, at most 500.  O(log tenants)

function lib.rs_webhook_tenants(keys, args)
    check(keys, 1, args, 1)

    return { 'ok', call('ZRANGE', keys[1],
                        args[1] ~= '' and '(' .. args[1] or '-', '+', 'BYLEX',
                        'LIMIT', '0', int(TURN_PAGE)) }
end


-- rs_webhook_create, guarded
-- KEYS: hooks, hookst, ev, idem.
-- ARGV: id, name, url, types by spaces (empty: all), enabled (1 or 0), body
--       hash.
-- ok: created|repeated, webhook obj; or repeated, id of the first one.  It is
--     told what happens from now on.
-- Errors: idempotency_mismatch, not_found (the one made first is gone),
--         limit_reached.  O(1)

function lib.rs_webhook_create(keys, args, who)
    local id = args[1]
    local no, ours, h, now

    check(keys, 4, args, 6)

    no, ours = repeated(keys[4], args[6], id)

    if no then
        return no
    end

    who.object, who.detail = id, args[3]

    if ours then
        h = entry(keys[1], id)
        return h and { 'ok', 'repeated', hook.obj(keys, id, h) }
               or { 'not_found' }
    end

    if call('HLEN', keys[1]) >= HOOKS_MAX then
        return { 'limit_reached' }
    end

    now = int(now_s())
    h = { name = args[2], url = args[3], types = args[4],
          enabled = args[5] == '0' and '0' or '1', created_at = now,
          created_by = who.id, secret_no = '1', secret_at = now,
          version = '1' }
    entry_put(keys[1], id, h, HOOK)
    entry_put(keys[2], id, { pos = event.newest(keys[3]), epoch = '0',
                             failures = '0', delivered = '0',
                             given_up = '0' }, HOOK_STATE)
    remember(keys[4], args[6], id)
    watch.rights(keys[1])

    return { 'ok', 'created', hook.obj(keys, id, h) }
end


-- rs_webhook_list, guarded
-- KEYS: hooks, hookst.  ARGV: cursor, limit.
-- ok: next cursor, {webhook obj...}, by id.  O(webhooks)

function lib.rs_webhook_list(keys, args)
    local page

    check(keys, 2, args, 2)

    page = entry_page(keys[1], args[1], args[2], HOOK)

    for i, flat in ipairs(page[3]) do
        page[3][i] = hook.obj(keys, flat[2], entry(keys[1], flat[2]))
    end

    return page
end


-- rs_webhook_get, guarded
-- KEYS: hooks, hookst.  ARGV: id.
-- ok: webhook obj.  Errors: not_found.  O(1)

function lib.rs_webhook_get(keys, args, who)
    local h

    check(keys, 2, args, 1)

    who.object = args[1]
    h = entry(keys[1], args[1])

    return h and { 'ok', hook.obj(keys, args[1], h) } or { 'not_found' }
end


-- rs_webhook_patch, guarded
-- KEYS: hooks, hookst, ev.
-- ARGV: id, version wanted (empty: any), then field, value, ... (name, url,
--       types, enabled, secret)
-- ok: webhook obj.  One that is enabled again is told what happens from now
--     on; "secret" (its value is ignored) makes the next one, and the one of
--     before signs besides for a day.
-- Errors: not_found, precondition_failed, unknown_field.  O(1)

local HOOK_PATCH = { name = true, url = true, types = true, enabled = true,
                     secret = true }


function lib.rs_webhook_patch(keys, args, who)
    local id = args[1]
    local h, was, state

    check(keys, 3, args, math.max(2, #args - #args % 2))

    who.object = id
    h = entry(keys[1], id)

    if not h then
        return { 'not_found' }
    end

    if args[2] ~= '' and h.version ~= args[2] then
        return { 'precondition_failed' }
    end

    was = h.enabled

    for i = 3, #args, 2 do
        if not HOOK_PATCH[args[i]] then
            return { 'unknown_field' }
        end

        if args[i] == 'secret' then
            h.secret_no = int(tonumber(h.secret_no) + 1)
            h.secret_at = int(now_s())
            who.detail = 'secret ' .. h.secret_no

        else
            h[args[i]] = args[i + 1]
        end
    end

    h.version = int(tonumber(h.version) + 1)
    entry_put(keys[1], id, h, HOOK)

    if was == '0' and h.enabled == '1' then
        state = entry(keys[2], id) or {}
        state.pos, state.failures = event.newest(keys[3]), '0'
        state.error, state.status, state.failing_since = '', '', ''
        entry_put(keys[2], id, state, HOOK_STATE)
    end

    watch.rights(keys[1])

    return { 'ok', hook.obj(keys, id, h) }
end


-- rs_webhook_delete, guarded
-- KEYS: hooks, hookst.  ARGV: id.
-- ok.  Errors: not_found.  O(1)

function lib.rs_webhook_delete(keys, args, who)
    check(keys, 2, args, 1)

    who.object = args[1]

    if call('HDEL', keys[1], args[1]) == 0 then
        delete_entry_again(keys[1], args[1])
        return { 'not_found' }
    end

    call('HDEL', keys[2], args[1])
    watch.rights(keys[1])

    return { 'ok' }
end


-- rs_webhook_work
-- KEYS: hooks, hookst.  ARGV: none.
-- ok: now_s, {webhook obj...}: all of the tenant.  O(webhooks, at most 32)

function lib.rs_webhook_work(keys, args)
    local flat, list

    check(keys, 2, args, 0)

    flat = call('HGETALL', keys[1])
    list = {}

    for i = 1, #flat, 2 do
        list[#list + 1] = hook.obj(keys, flat[i], entry_read(flat[i + 1]))
    end

    return { 'ok', int(now_s()), list }
end


-- rs_webhook_told
-- KEYS: hooks, hookst.
-- ARGV: id, the daemon's epoch, version of the webhook it read, position it
--       has come to, then field, value, ... (failures, delivered, given_up,
--       tried_at, delivered_at, status, error, failing_since; or "gone": the receiver
--       wants no more, the webhook is disabled).
-- ok.  Errors: not_found (it was removed), conflict (it was changed: read it
--      again), replaced (a daemon of a later epoch delivers).  O(1)

local HOOK_TOLD = { failures = true, delivered = true, given_up = true,
                    tried_at = true, delivered_at = true, status = true,
                    error = true, failing_since = true }


function lib.rs_webhook_told(keys, args)
    local id = args[1]
    local h, state

    check(keys, 2, args, math.max(4, #args - #args % 2))

    h, state = entry(keys[1], id), entry(keys[2], id) or {}

    if not h then
        return { 'not_found' }
    end

    if tonumber(state.epoch or '0') > number(args[2] or '') then
        return { 'replaced' }
    end

    if h.version ~= args[3] then
        return { 'conflict' }
    end

    if not position(args[4]) then
        error('rs: "' .. args[4] .. '" is no position')
    end

    state.epoch, state.pos = args[2], args[4]

    for i = 5, #args, 2 do
        if args[i] == 'gone' then
            h.enabled, h.version = '0', int(tonumber(h.version) + 1)
            entry_put(keys[1], id, h, HOOK)

        elseif HOOK_TOLD[args[i]] then
            state[args[i]] = cut(args[i + 1], AUDIT_TEXT)

        else
            error('rs: "' .. args[i] .. '" is nothing to tell of a webhook')
        end
    end

    entry_put(keys[2], id, state, HOOK_STATE)

    return { 'ok' }
end


-- rs_webhook_lease
-- KEYS: eventd.  ARGV: daemon, ttl_ms (0: given back).
-- ok: held, epoch; or taken, name of who delivers, ms it has still.
-- One daemon of many delivers; each that takes over has a higher epoch.  O(1)

function lib.rs_webhook_lease(keys, args)
    local ttl = number(args[2] or '')
    local now = now_ms()
    local l

    check(keys, 1, args, 2)

    l = call('HMGET', keys[1], 'owner', 'until', 'epoch')

    if l[1] and l[1] ~= args[1] and tonumber(l[2]) > now then
        return { 'ok', 'taken', l[1], int(tonumber(l[2]) - now) }
    end

    l[3] = tonumber(l[3] or '0')

    if l[1] ~= args[1] or tonumber(l[2]) <= now then
        l[3] = l[3] + 1
    end

    call('HSET', keys[1], 'owner', args[1], 'until', int(now + ttl),
         'epoch', int(l[3]))

    return { 'ok', 'held', int(l[3]) }
end

end


-- Registration, one by one: the global functions of Lua do not exist yet
-- while the library is loaded.  Reading functions may run by FCALL_RO and on
-- replicas; not so what is guarded, for a refusal leaves a line in the audit.
-- What reads, frees memory, ends something or keeps a worker alive runs also
-- when memory is short.

local WRITE = {}
local READ = { 'no-writes' }
local ALWAYS = { 'allow-oom' }


-- Watching

-- The groups whose objects the caller may see: "*", or ids by blanks.

function watch.groups(who, verb)
    local list = {}

    if allowed_wide(who, verb) then
        return '*'
    end

    for _, grant in ipairs(holds(who.granted, verb) and grants(who) or {}) do
        if holds(grant.verbs, verb) then
            if grant.group == '*' then
                return '*'
            end

            list[#list + 1] = grant.group
        end
    end

    return table.concat(list, ' ')
end


-- rs_watch_create, guarded
-- KEYS: wat
-- ARGV: ttl_s, s when the caller's token ends (or empty)
-- ok
-- A ticket for a socket on which the caller hears of changes.  It holds the
-- caller as the gateway described it, so that whichever worker has the socket
-- can ask again what he may.  O(1)

function lib.rs_watch_create(keys, args, who)
    check(keys, 1, args, 2)

    call('HSET', keys[1], 'auth', who.auth, 'caller', who.text,
         'ends_at', args[2])
    call('EXPIRE', keys[1], int(number(args[1])))

    return { 'ok' }
end


-- rs_watch_open
-- KEYS: wat, wat of the same ticket bound to an origin
-- ARGV: -
-- ok, kind of the caller's key and its id, the caller, ends_at
-- Uses the ticket up.  O(1)

function lib.rs_watch_open(keys, args)
    local key, t, kind, id

    check(keys, 2, args, 0)

    key = call('EXISTS', keys[1]) == 1 and keys[1] or keys[2]
    t = call('HMGET', key, 'auth', 'caller', 'ends_at')

    if not t[1] then
        return { 'unauthenticated' }
    end

    call('DEL', key)
    kind, id = string.match(t[1], '}:(%l+):(.*)$')

    return { 'ok', kind, id, t[2], t[3] }
end


-- rs_watch_check, guarded
-- KEYS: -
-- ARGV: -
-- ok, the caller's id, groups of devices and of sessions that he may see now
-- ("*": all), s when his key ends (or empty)
-- O(his grants)

function lib.rs_watch_check(keys, args, who)
    check(keys, 0, args, 0)

    return { 'ok', who.id, watch.groups(who, 'devices:read'),
             watch.groups(who, 'sessions:read'),
             who.expires_at and int(who.expires_at) or '' }
end


-- Tunnels: a device's leave to be asked for one target, with a list of who may
-- ask.  Pipes: what bytes flow through, of a tunnel or between two members of
-- a session.  A command that runs on a device: a tunnel with one pipe, over
-- when that is.  docs/design/pipes.md.
--
-- A pipe has two sides, client and host, each with a ticket that is used up
-- when its socket comes (rs_pipe_attach).  What the client may is asked when
-- he comes and whenever something has changed (rs_pipe_check): nothing is
-- forwarded before the first answer.  A pipe whose worker has died is over
-- when nobody has asked for a while.

do

local TUNNEL_LIFE = 2592000     -- s, the longest life of a tunnel
local PIPE_KEEP = 900           -- s, a pipe outlives the last check
local PIPE_TOLD = 60            -- s, why it ended is told to who comes late

local TUN = { 'device_id', 'target', 'protocol', 'label', 'addresses',
              'users', 'by_kind', 'by_id', 'by_name', 'idle_s', 'created_at',
              'expires_at', 'group_id', 'version', 'opened', 'up', 'down',
              'used_at', 'port', 'nets' }
local TUN_OBJ = 19

local PIP = { 'kind', 'object', 'device_id', 'client', 'client_ticket',
              'client_until', 'client_link', 'client_par', 'host',
              'host_ticket', 'host_until', 'host_link', 'host_par', 'nonce',
              'auth', 'caller', 'ends_at', 'idle_s', 'protocol', 'by_kind',
              'by_id', 'by_name', 'peer', 'made_at', 'ended', 'target',
              'label', 'offered' }

local OTHER = { client = 'host', host = 'client' }
local TUN_PATCH = { label = true, idle_s = true, addresses = true,
                    users = true, nets = true }

local tunnel, pipe = {}, {}

local port = {
    max = 10000,                -- of the fleet
    step = 100,                 -- of them looked at at once
    admits = 16,                -- addresses that one lets in
    window = 60                 -- s between two lines of those it does not
}


function tunnel.get(key, now)
    local t = load_fields(key, TUN)

    if t.device_id == '' or now >= tonumber(t.expires_at) then
        return nil
    end

    t.id = id_of(key)

    return t
end


-- The name of the command that it is, or nil: no target of a tunnel that is
-- made has a blank.

function tunnel.command(t)
    return string.match(t.target, '^run (.+)$')
end


-- A recording's, of which the recorder sends all over its one pipe.

function tunnel.recording(t)
    return string.match(t.target, '^recording (.+)$')
end


-- With one pipe only, and over with that?

function tunnel.once(t)
    return tunnel.command(t) or tunnel.recording(t)
end


function tunnel.live(pips, now)
    return call('ZCOUNT', pips, '(' .. int(now), '+inf')
end


function tunnel.obj(t, pips, now)
    local flat = object(t.id, t, TUN, TUN_OBJ)

    flat[#flat + 1] = 'pipes'
    flat[#flat + 1] = int(tunnel.live(pips, now))

    return flat
end


function tunnel.event(t, kind, ...)
    event.put(t.key, 't', t.group_id, kind, 'tunnel_id', t.id, 'device_id',
              t.device_id, 'group_id', t.group_id, 'target', t.target,
              'protocol', t.protocol, 'label', t.label, ...)
end


-- What a command was asked with is nobody's to be told.

function tunnel.ran(t, kind, pip, ...)
    event.put(t.key, 't', t.group_id, 'command.' .. kind, 'tunnel_id', t.id,
              'device_id', t.device_id, 'group_id', t.group_id, 'command',
              tunnel.command(t), 'label', t.label, 'pipe_id', pip, ...)
end


-- A command's, with its only pipe: it counts no more.  No worker is told,
-- since what the pipe still has is on its way to the client.
-- keys: tun, tuns, tunx, dtun.

function tunnel.over(t, keys)
    call('DEL', keys[1])
    call('ZREM', keys[2], t.id)
    call('ZREM', keys[3], t.id)
    call('ZREM', keys[4], t.id)
end


-- Room for one more?

function tunnel.full(tunx, dtun, now, max, quota)
    call('ZREMRANGEBYSCORE', tunx, '-inf', int(now))
    call('ZREMRANGEBYSCORE', dtun, '-inf', int(now))

    return call('ZCARD', dtun) >= math.min(number(max), DSES_MAX)
           or over(quota, call('ZCARD', tunx))
end


-- keys: tun, tuns, tunx, dtun.  t: what a tunnel has besides its times and
-- who made it.

function tunnel.put(keys, id, t, who, ms, expires)
    local flat = {}

    t.by_kind, t.by_id, t.by_name = who.kind, who.id, who.name
    t.created_at = int(math.floor(ms / 1000))
    t.expires_at = int(expires)
    t.version, t.opened, t.up, t.down, t.used_at = '1', '0', '0', '0', ''

    for _, name in ipairs(TUN) do
        flat[#flat + 1] = name
        flat[#flat + 1] = t[name]
    end

    call('HSET', keys[1], unpack(flat))
    call('EXPIREAT', keys[1], int(expires))
    call('ZADD', keys[2], int(ms), id)
    index_trim(keys[2], ms - TUNNEL_LIFE * 1000)
    sessions_put(keys[3], id, expires)
    sessions_put(keys[4], id, expires)
end


-- Is he on the list?  Ranges are "<first>-<last>" of addresses as texts that
-- sort as they do (rs_ip_key()); nets empty: from anywhere.

function tunnel.lets(t, id, peer)
    if not set_of(words(t.users))[id] then
        return false
    end

    for first, last in string.gmatch(t.nets, '(%x+)-(%x+)') do
        if peer >= first and peer <= last and #peer == #first then
            return true
        end
    end

    return t.nets == ''
end


-- May he make one of this device, and is there room?  keys: tunx, dev, dtun,
-- idem; args: id, tunnels of a device at most, quota of the tenant's, body
-- hash.  The reply if not, or if there is one already; the device; whether
-- the one that is there is this.

function tunnel.room(who, keys, args, now)
    local d = load_fields(keys[2], DEV)
    local no, ours

    no = refused(who, d.group_id, 'devices:read')

    if d.created_at == '' or no then
        return no or { 'not_found' }
    end

    no, ours = repeated(keys[4], args[4], args[1])
    if no or ours then
        return no, d, ours
    end

    if tunnel.full(keys[1], keys[3], now, args[2], args[3]) then
        return { 'limit_reached' }
    end

    return nil, d, false
end


-- rs_tunnel_room, guarded
-- KEYS: tunx, dev, dtun, idem.
-- ARGV: id, tunnels of a device at most, quota of the tenant's, body hash.
-- ok: room; or repeated, id of the first one.  Would rs_tunnel_create make it?
--     Before a port is taken for it, which is in another slot.  Leaves a line
--     when he may not.
-- Errors: as rs_tunnel_create.  O(log tunnels)

function lib.rs_tunnel_room(keys, args, who)
    local no

    check(keys, 4, args, 4)

    no = tunnel.room(who, keys, args, now_s())
    who.list = not no

    return no or { 'ok', 'room' }
end


-- rs_tunnel_create, guarded
-- KEYS: tun, tuns, tunx, dev, dtun, pips, idem.
-- ARGV: id, device id, target, protocol, label, addresses, the same as
--       ranges, users (empty: the caller), idle_s, ttl_s, tunnels of a device
--       at most, quota of the tenant's, body hash, port (empty: none).
-- ok: created|repeated, tunnel obj; or repeated, id of the first one.
-- Errors: not_found, idempotency_mismatch, limit_reached.  O(log tunnels)

function lib.rs_tunnel_create(keys, args, who)
    local ms = now_ms()
    local now = math.floor(ms / 1000)
    local expires = now + math.min(number(args[10] or ''), TUNNEL_LIFE)
    local d, t, no, ours

    check(keys, 7, args, 14)

    no, d, ours = tunnel.room(who, { keys[3], keys[4], keys[5], keys[7] },
                              { args[1], args[11], args[12], args[13] }, now)
    if no then
        return no
    end

    if ours then
        t = tunnel.get(keys[1], now)

        return t and { 'ok', 'repeated', tunnel.obj(t, keys[6], now) }
               or { 'not_found' }
    end

    tunnel.put({ keys[1], keys[2], keys[3], keys[5] }, args[1], {
        device_id = args[2], target = args[3], protocol = args[4],
        label = args[5], addresses = args[6], nets = args[7],
        users = args[8] ~= '' and args[8] or who.id,
        idle_s = int(number(args[9])), group_id = d.group_id,
        port = args[14]
    }, who, ms, expires)
    remember(keys[7], args[13], args[1])

    t = tunnel.get(keys[1], now)
    who.detail = args[2] .. ' ' .. args[4] .. ' ' .. args[3]
                 .. (t.port ~= '' and ' port ' .. t.port or '')
    tunnel.event(t, 'tunnel.created', 'user_id',
                 who.kind == 'user' and who.id or '', 'key_id',
                 who.kind == 'key' and who.id or '', 'expires_at', expires)
    watch.tell(t.key, 'tun', t.id, t.group_id, 'new')

    return { 'ok', 'created', tunnel.obj(t, keys[6], now) }
end


-- rs_tunnel_get, guarded
-- KEYS: tun, pips.  ARGV: none.
-- ok: tunnel obj.  Errors: not_found.  O(log pipes)

function lib.rs_tunnel_get(keys, args, who)
    local now = now_s()
    local t, no

    check(keys, 2, args, 0)

    t = tunnel.get(keys[1], now)
    if not t then
        return { 'not_found' }
    end

    no = refused(who, t.group_id, 'tunnels:read')

    return no or { 'ok', tunnel.obj(t, keys[2], now) }
end


-- rs_tunnel_patch, guarded
-- KEYS: tun, pips.  ARGV: version wanted or empty, then field, value, ...
--                   (label, idle_s, addresses, nets, users)
-- ok: tunnel obj.  Errors: not_found, precondition_failed, unknown_field.
-- Who has a pipe of it is asked for anew.  O(log pipes)

function lib.rs_tunnel_patch(keys, args, who)
    local now = now_s()
    local t, no

    check(keys, 2, args, math.max(1, #args - (#args + 1) % 2))

    t = tunnel.get(keys[1], now)
    if not t then
        return { 'not_found' }
    end

    no = refused(who, t.group_id, 'tunnels:read')
    if no then
        return no
    end

    if args[1] ~= '' and t.version ~= args[1] then
        return { 'precondition_failed' }
    end

    for i = 2, #args, 2 do
        if not TUN_PATCH[args[i]] then
            return { 'unknown_field' }
        end

        t[args[i]] = args[i + 1]
    end

    if t.users == '' then
        t.users = t.by_id
    end

    t.version = int(tonumber(t.version) + 1)
    call('HSET', keys[1], 'version', t.version, 'label', t.label, 'idle_s',
         int(number(t.idle_s)), 'addresses', t.addresses, 'nets', t.nets,
         'users', t.users)

    who.detail = 'users ' .. t.users .. (t.addresses ~= '' and ' addresses '
                                         .. t.addresses or '')
    tunnel.event(t, 'tunnel.updated')
    watch.tell(t.key, 'tun', t.id, t.group_id, 'changed')

    return { 'ok', tunnel.obj(t, keys[2], now) }
end


-- rs_tunnel_delete, guarded
-- KEYS: tun, tuns, tunx, dtun, pips, adm.  ARGV: id, reason.
-- ok: the device's id, its port (or empty) and its id, for that to be freed.
--     Its pipes are cut by their workers.
-- Errors: not_found (a write as well).  O(log tunnels)

function lib.rs_tunnel_delete(keys, args, who)
    local t, no

    check(keys, 6, args, 2)

    t = tunnel.get(keys[1], now_s())

    no = t and refused(who, t.group_id, 'tunnels:read')
    if no then
        return no
    end

    call('ZREM', keys[3], args[1])
    call('ZREM', keys[4], args[1])

    if not t then
        delete_again(keys[2], args[1])
        return { 'not_found' }
    end

    call('DEL', keys[1], keys[5], keys[6])
    call('ZREM', keys[2], t.id)

    who.detail = args[2]

    if tunnel.command(t) then
        tunnel.ran(t, 'ended', '', 'reason', args[2])
    elseif not tunnel.recording(t) then
        tunnel.event(t, 'tunnel.deleted', 'reason', args[2])
    end

    watch.tell(t.key, 'tun', t.id, t.group_id, 'ended')

    return { 'ok', t.device_id, t.port, t.id }
end


-- rs_tunnel_device
-- KEYS: tun.  ARGV: none.
-- ok: device id.  Errors: not_found.  What has the device among its KEYS is
--     called with this.  O(1)

function lib.rs_tunnel_device(keys, args)
    local id

    check(keys, 1, args, 0)

    id = call('HGET', keys[1], 'device_id')

    return id and { 'ok', id } or { 'not_found' }
end


-- The gateways' ports: a way into a tunnel for programs that speak no
-- WebSocket.  Ports are the fleet's, one hash of them; which tunnel one is of
-- says nothing of who may.  Whom it lets in is known by his address alone,
-- which he has said to be his (rs_tunnel_admit); what he may is asked of the
-- caller he was then, as rs_pipe_open asks.

function port.read(key, n)
    local h = call('HGET', key, n) or ''
    local p = {}

    p.tenant, p.tunnel, p.device, p.protocol, p.ends
        = string.match(h, '^(%S+) (%S+) (%S+) (%S+) (%d+)$')

    return p
end


-- The first one from n to m that is nobody's any more, or nil.

function port.find(key, n, m, now)
    while n <= m do
        local step = math.min(m - n + 1, port.step)
        local names = {}

        for i = 1, step do
            names[i] = int(n + i - 1)
        end

        for i, h in ipairs(call('HMGET', key, unpack(names))) do
            if not h or tonumber(string.match(h, '(%d+)$')) <= now then
                return names[i]
            end
        end

        n = n + step
    end

    return nil
end


function port.write(key, n, p, ends)
    call('HSET', key, n, table.concat({ p[1], p[2], p[3], p[4], int(ends) },
                                      ' '))
end


-- rs_port_take
-- KEYS: ports.
-- ARGV: first and last of the range, tenant, tunnel id, device id, protocol,
--       ttl_s: until the tunnel is made, then rs_port_keep.
-- ok: a port that is nobody's.  It goes round the range: who still has the
--     number of before should meet nobody there for a while.
-- Errors: limit_reached.  O(range)

function lib.rs_port_take(keys, args)
    local now = now_s()
    local first, last, n, found

    check(keys, 1, args, 7)

    first, last = number(args[1]), number(args[2])

    if first < 1 or last > 65535 or last < first or last - first >= port.max
    then
        error('rs: ' .. int(first) .. '-' .. int(last) .. ' are no ports')
    end

    n = tonumber(call('HGET', keys[1], 'last') or '0')

    if n < first or n >= last then
        n = first - 1
    end

    found = port.find(keys[1], n + 1, last, now)
            or port.find(keys[1], first, n, now)

    if not found then
        return { 'limit_reached' }
    end

    call('HSET', keys[1], 'last', found)
    port.write(keys[1], found, { unpack(args, 3) }, now + number(args[7]))

    return { 'ok', found }
end


-- rs_port_keep
-- KEYS: ports.
-- ARGV: port, tenant, tunnel id, device id, protocol, s when the tunnel ends.
-- ok.  Errors: conflict (it is another's by now).  O(1)

function lib.rs_port_keep(keys, args)
    local n, p

    check(keys, 1, args, 6)

    n = int(number(args[1]))
    p = port.read(keys[1], n)

    if p.ends and tonumber(p.ends) > now_s()
       and (p.tenant ~= args[2] or p.tunnel ~= args[3])
    then
        return { 'conflict' }
    end

    port.write(keys[1], n, { unpack(args, 2) }, number(args[6]))

    return { 'ok' }
end


-- rs_port_get
-- KEYS: ports.  ARGV: port.
-- ok: tenant, tunnel id, device id, when it ends (s), protocol.
-- Errors: not_found.  O(1)

function lib.rs_port_get(keys, args)
    local p

    check(keys, 1, args, 1)

    p = port.read(keys[1], int(number(args[1])))

    if not p.ends or tonumber(p.ends) <= now_s() then
        return { 'not_found' }
    end

    return { 'ok', p.tenant, p.tunnel, p.device, p.ends, p.protocol }
end


-- rs_port_free
-- KEYS: ports.  ARGV: port, tenant, tunnel id.
-- ok: freed|stale (it is another's by now).  O(1)

function lib.rs_port_free(keys, args)
    local n, p

    check(keys, 1, args, 3)

    n = int(number(args[1]))
    p = port.read(keys[1], n)

    if p.tenant ~= args[2] or p.tunnel ~= args[3] then
        return { 'ok', 'stale' }
    end

    call('HDEL', keys[1], n)

    return { 'ok', 'freed' }
end


-- An admission is "<s when it ends> <key|usr> <id of that> <caller>", by the
-- address.

function port.admission(text, now)
    local ends, kind, id, json = string.match(text or '',
                                          '^(%d+) (%l+) (%S+) (.*)$')

    if not ends or tonumber(ends) <= now then
        return nil
    end

    return { ends = ends, kind = kind, id = id, caller = json }
end


-- Those that have ended make room for one more address.

function port.room(adm, address, now)
    local flat = call('HGETALL', adm)
    local n = 0

    for i = 1, #flat, 2 do
        if not port.admission(flat[i + 1], now) then
            call('HDEL', adm, flat[i])

        elseif flat[i] ~= address then
            n = n + 1
        end
    end

    return n < port.admits
end


-- rs_tunnel_admit, guarded
-- KEYS: tun, dev, adm.
-- ARGV: the caller's address (as rs_ip_key()), s when his token ends (or
--       empty), 1: he has just made the tunnel, and need not be on its list.
-- ok: port, s when it ends (of a maker who may not: empty, and no line).
--     From now on who comes to the port from this address is the caller; who
--     had the address is so no longer.
-- Errors: not_found, forbidden (he is not on the list, too), conflict (it has
--         no port), limit_reached.  O(addresses)

function lib.rs_tunnel_admit(keys, args, who)
    local now = now_s()
    local t, d, no, ends, kind, id

    check(keys, 3, args, 3)

    t = tunnel.get(keys[1], now)
    d = load_fields(keys[2], DEV)

    if not t or d.created_at == '' or t.device_id ~= id_of(keys[2]) then
        return { 'not_found' }
    end

    no = refused(who, d.group_id, 'tunnels:read')

    if no or args[1] == '' or not tunnel.lets(t, who.id, args[1]) then
        who.list = args[3] == '1'

        return who.list and { 'ok', t.port, '' } or no or { 'forbidden' }
    end

    if t.port == '' then
        return { 'conflict' }
    end

    who.detail = 'port ' .. t.port

    if not port.room(keys[3], args[1], now) then
        return { 'limit_reached' }
    end

    ends = math.min(tonumber(t.expires_at), who.expires_at or math.huge,
                    args[2] ~= '' and number(args[2]) or math.huge)
    kind, id = string.match(who.auth, '}:(%l+):(.*)$')

    call('HSET', keys[3], args[1],
         int(ends) .. ' ' .. kind .. ' ' .. id .. ' ' .. who.text)
    call('EXPIREAT', keys[3], t.expires_at)
    tunnel.event(t, 'tunnel.admitted', 'port', tonumber(t.port), 'user_id',
                 who.kind == 'user' and who.id or '', 'key_id',
                 who.kind == 'key' and who.id or '', 'expires_at', ends)

    return { 'ok', t.port, int(ends) }
end


-- rs_ip_key() read back, for people

function port.address(key)
    local digits = string.sub(key, 2)

    if string.sub(key, 1, 1) == '4' then
        return (string.gsub(string.gsub(digits, '%x%x', function(h)
            return '.' .. tonumber(h, 16)
        end), '^.', ''))
    end

    return (string.gsub(string.gsub(digits, '%x%x%x%x', ':%0'), '^.', ''))
end


-- rs_port_enter
-- KEYS: tun, adm, audit.  ARGV: address of who came (as rs_ip_key()).
-- ok: key|usr and id of whose admission it is, he as the gateway described
--     him, s when it ends.  What he may is asked by rs_pipe_open, as him.
-- Errors: not_found (the tunnel is over), forbidden (nobody has said that the
--         address is his; a line of this once a minute).  O(1)

function lib.rs_port_enter(keys, args)
    local now = now_s()
    local t, a, n, at

    check(keys, 3, args, 1)

    t = tunnel.get(keys[1], now)
    if not t then
        return { 'not_found' }
    end

    a = args[1] ~= ''
        and port.admission(call('HGET', keys[2], args[1]), now)
    if a then
        return { 'ok', a.kind, a.id, a.caller, a.ends }
    end

    n = call('HINCRBY', keys[1], 'strays', '1')
    at = tonumber(call('HGET', keys[1], 'stray_at') or '0')

    if now < at or now - at >= port.window then
        call('HSET', keys[1], 'strays', '0', 'stray_at', int(now))
        audit(keys[3], { kind = 'unknown', id = '', name = '',
                         addr = args[1] ~= '' and port.address(args[1])
                                or '' }, {
            verb = 'tunnels:use', object = t.id, outcome = 'deny',
            reason = 'forbidden', detail = 'port ' .. t.port
                     .. (n > 1 and ', ' .. int(n) .. ' times' or '')
        })
    end

    return { 'forbidden' }
end


function pipe.get(key)
    local p = load_fields(key, PIP)

    p.id = id_of(key)

    return p.kind ~= '' and p or nil
end


-- The pipes of an object by the instant (s) until which they are there for
-- sure: room for one more?

function pipe.full(pips, now, max)
    call('ZREMRANGEBYSCORE', pips, '-inf', int(now))

    return call('ZCARD', pips) >= number(max)
end


function pipe.keep(pips, key, til)
    sessions_put(pips, id_of(key), til)
    call('EXPIREAT', key, int(til))
end


-- Over, and why; who shows a ticket that counts still is told.

function pipe.over(p, pips, code)
    call('HSET', p.key, 'ended', code)
    call('HDEL', p.key, 'nonce', 'auth', 'caller')
    call('EXPIRE', p.key, int(PIPE_TOLD))

    if pips then
        call('ZREM', pips, p.id)
    end
end


function pipe.audit(key, p, verb, args, outcome, reason, detail)
    audit(key, { kind = p.by_kind, id = p.by_id, name = p.by_name,
                 addr = args.addr, rid = args.rid },
          { verb = verb, object = p.object, outcome = outcome,
            reason = reason, detail = p.id .. detail })
end


-- keys: tun, pip, pips.  p: ticket, its ttl_s, the caller's address, s when his
-- token ends (or empty).  What the device's worker is to know besides is in no
-- key.  Returns expires_at of the ticket.

function pipe.put(keys, t, d, p, who, told)
    local now = now_s()
    local til = now + number(p.ttl)
    local ends = math.min(tonumber(t.expires_at), who.expires_at or math.huge,
                          p.ends ~= '' and number(p.ends) or math.huge)

    call('HSET', keys[2], 'kind', 'tunnel', 'object', t.id, 'device_id',
         t.device_id, 'client_ticket', p.ticket, 'client_until', int(til),
         'auth', who.auth, 'caller', who.text, 'ends_at', int(ends),
         'idle_s', t.idle_s, 'protocol', t.protocol, 'by_kind', who.kind,
         'by_id', who.id, 'by_name', who.name, 'peer', p.peer, 'made_at',
         int(now), 'target', t.target, 'label', t.label)
    call('HINCRBY', keys[1], 'opened', '1')
    pipe.keep(keys[3], keys[2], til + PIPE_TOLD)
    tell(d.owner, 'pip', keys[2], id_of(keys[2]),
         told and 'open ' .. told or 'open')

    return int(til)
end


-- rs_pipe_open, guarded
-- KEYS: tun, pip, dev, pips.
-- ARGV: hash of the client's ticket, ttl_s of the tickets, the caller's
--       address (as rs_ip_key(), or empty), s when his token ends (or empty), pipes
--       of a tunnel at most.
-- ok: owner, tunnel obj, expires_at of the ticket; publishes pip open to the
--     device's worker.
-- Errors: not_found, forbidden (he is not on the list, too), conflict (it is a
--         command's, which has its pipe), device_offline, limit_reached.
-- O(log pipes)

function lib.rs_pipe_open(keys, args, who)
    local now = now_s()
    local t, d, no, til

    check(keys, 4, args, 5)

    t = tunnel.get(keys[1], now)
    d = load_fields(keys[3], DEV)

    if not t or d.created_at == '' or t.device_id ~= id_of(keys[3]) then
        return { 'not_found' }
    end

    who.detail = id_of(keys[2])
    no = refused(who, d.group_id, 'tunnels:read')

    if no or not tunnel.lets(t, who.id, args[3]) then
        return no or { 'forbidden' }
    end

    if tunnel.once(t) then
        return { 'conflict' }
    end

    if d.owner == '' then
        return { 'device_offline' }
    end

    if pipe.full(keys[4], now, args[5]) then
        return { 'limit_reached' }
    end

    til = pipe.put({ keys[1], keys[2], keys[4] }, t, d,
                   { ticket = args[1], ttl = args[2], peer = args[3],
                     ends = args[4] }, who)
    tunnel.event(t, 'tunnel.opened', 'pipe_id', id_of(keys[2]), 'user_id',
                 who.kind == 'user' and who.id or '', 'key_id',
                 who.kind == 'key' and who.id or '')

    return { 'ok', d.owner, tunnel.obj(t, keys[4], now), til }
end


-- rs_command_open, guarded
-- KEYS: tun, tuns, tunx, dev, dtun, pips, pip.
-- ARGV: tunnel id, device id, name of the command, its parameters for the
--       device (JSON), the same for the audit, label, ttl_s, tunnels of a
--       device at most, quota of the tenant's, then hash of the client's ticket, ttl_s
--       of the tickets, the caller's address (as rs_ip_key(), or empty), s when
--       his token ends (or empty).
-- ok: owner, tunnel obj, expires_at of the ticket; publishes pip open, with the
--     parameters, to the device's worker: they are in no key.
-- Errors: not_found, forbidden, device_offline, limit_reached.  O(log tunnels)

function lib.rs_command_open(keys, args, who)
    local ms = now_ms()
    local now = math.floor(ms / 1000)
    local expires = now + math.min(number(args[7]), TUNNEL_LIFE)
    local d, t, no, til

    check(keys, 7, args, 13)

    who.detail = args[2] .. ' ' .. id_of(keys[7]) .. ' ' .. args[3] .. ' '
                 .. args[5]

    d = load_fields(keys[4], DEV)
    no = refused(who, d.group_id, 'devices:read')

    if d.created_at == '' or no then
        return no or { 'not_found' }
    end

    if d.owner == '' then
        return { 'device_offline' }
    end

    if tunnel.full(keys[3], keys[5], now, args[8], args[9]) then
        return { 'limit_reached' }
    end

    tunnel.put({ keys[1], keys[2], keys[3], keys[5] }, args[1], {
        device_id = args[2], target = 'run ' .. args[3], protocol = 'tcp',
        label = args[6], addresses = '', nets = '', users = who.id,
        idle_s = int(expires - now), group_id = d.group_id, port = ''
    }, who, ms, expires)

    t = tunnel.get(keys[1], now)
    til = pipe.put({ keys[1], keys[7], keys[6] }, t, d,
                   { ticket = args[10], ttl = args[11], peer = args[12],
                     ends = args[13] }, who, args[4])
    tunnel.ran(t, 'started', id_of(keys[7]), 'user_id',
               who.kind == 'user' and who.id or '', 'key_id',
               who.kind == 'key' and who.id or '')

    return { 'ok', d.owner, tunnel.obj(t, keys[6], now), til }
end


-- What recorders keep, by their word: the catalogue of recordings.  The files are
-- the recorder's, encrypted to whom it is told; the tenant's recordings:read sees
-- that they are there.

local REC = { 'session_id', 'device_id', 'recorder_id', 'group_id', 'user_id',
              'external_id', 'state', 'started_at', 'ended_at', 'duration_ms',
              'bytes', 'sha256', 'gaps', 'reason', 'expires_at', 'deleted_at' }


function recording.get(key)
    local r = load_fields(key, REC)

    r.id = id_of(key)

    return r.session_id ~= '' and r or nil
end


-- One that its recorder writes still, as far as is known: when that is away it
-- ends with what there is.

function recording.obj(r, svcs, now)
    local e

    if r.state == 'recording' then
        e = service.get(svcs, r.recorder_id, now)
        r.state = e and e.owner ~= '' and r.state or 'incomplete'
    end

    return object(r.id, r, REC)
end


function recording.event(r, kind, ...)
    event.put(r.key, 's', r.group_id, 'recording.' .. kind, 'recording_id',
              r.id, 'session_id', r.session_id, 'device_id', r.device_id,
              'group_id', r.group_id, 'external_id', r.external_id,
              'recorder_id', r.recorder_id, ...)
end


-- Those that are gone for long leave the lists, a bounded number of them.

function recording.trim(recs, recx, now)
    local old = call('ZRANGE', recx, '-inf', int(now), 'BYSCORE', 'LIMIT', '0',
                     int(recording.work))

    if #old > 0 then
        call('ZREM', recs, unpack(old))
        call('ZREM', recx, unpack(old))
    end
end


-- rs_recording_begin
-- KEYS: ses, par, mem, log, rec, recs, recx, audit.
-- ARGV: device id of the recorder, recording id, replid.
-- ok: begun|again, state of the session.  It is recorded from now on:
--     waiting_recorder is over.  Appends state.
-- Errors: not_found (this recorder has no such session), session_ended,
--         conflict (it takes no part, or the id is another recording's),
--         limit_reached (recordings of the tenant).  O(members)

function lib.rs_recording_begin(keys, args)
    local ms = now_ms()
    local now = math.floor(ms / 1000)
    local s, r, again

    check(keys, 8, args, 3)

    s = session(keys[1], now)

    if not s or s.kind ~= 'device' or s.rec_dev ~= args[1] then
        return { 'not_found' }
    end

    if s.state == 'ended' then
        return { 'session_ended' }
    end

    r = recording.get(keys[5])

    if r and r.session_id == s.id and r.recorder_id == args[1]
       and s.rec_id == r.id and s.rec_state == 'on'
    then
        return { 'ok', 'again', s.state }
    end

    -- what it said already may be forgotten, by a failover, in part

    again = r and r.session_id == s.id and r.recorder_id == args[1]
            and r.state == 'recording'

    if (r and not again) or s.rec_par == '' or s.rec_state == 'on'
       or (call('HGET', keys[3], 'a:' .. s.rec_par) or '') == ''
    then
        return { 'conflict' }
    end

    recording.trim(keys[6], keys[7], now)

    if call('ZCARD', keys[6]) >= recording.max then
        return { 'limit_reached' }
    end

    if not again then
        call('HSET', keys[5], 'session_id', s.id, 'device_id', s.device_id,
             'recorder_id', args[1], 'group_id', s.group_id,
             'user_id', s.user_id, 'external_id', s.external_id,
             'state', 'recording', 'started_at', int(now), 'ended_at', '',
             'duration_ms', '', 'bytes', '', 'sha256', '', 'gaps', '',
             'reason', '', 'expires_at', '', 'deleted_at', '')
        call('EXPIRE', keys[5], int(recording.life))
        call('ZADD', keys[6], int(ms), args[2])
    end

    s.rec_state, s.rec_id = 'on', args[2]

    if s.state == 'waiting_recorder' then
        s.state = s.rec_then ~= '' and s.rec_then or 'connecting'
        event.state(s)
    end

    audit(keys[8], { kind = 'device', id = args[1] },
          { verb = 'recording:begin', object = args[2], outcome = 'allow',
            detail = s.id })
    event.session(s, 'recording.started', 'recording_id', s.rec_id,
                  'recorder_id', s.rec_dev)

    epoch(s, args[3])
    append(s, keys[4], workers_written(call('HGET', keys[3], 'w') or ''),
           'evt', '', '', '', state_body(s))
    save(s, 'state', s.state, 'rec_state', s.rec_state, 'rec_id', s.rec_id,
         'rec_tries', '')

    return { 'ok', 'begun', s.state }
end


-- rs_recording_end
-- KEYS: rec, ses, rses, audit.
-- ARGV: device id of the recorder, reason, duration_ms, bytes, sha256, gaps,
--       expires_at (s, or empty).
-- ok: kept|live.  live: the session goes on, and is recorded no more: it is to
--     be told (rs_recorder_failed).  A recording that ended as its session is
--     kept, else it is incomplete.  Said again it changes nothing.
-- Errors: not_found, conflict (it has ended with another hash: what is known of
--         it stays, and the audit has a line).  O(sessions of the recorder)

function lib.rs_recording_end(keys, args)
    local now = now_s()
    local r, s

    check(keys, 4, args, 7)

    r = recording.get(keys[1])

    if not r or r.recorder_id ~= args[1] or r.session_id ~= id_of(keys[2]) then
        return { 'not_found' }
    end

    -- what it ended with is for good: its recorder, and whoever has its disk
    -- and its key, puts no other one in its place

    if r.sha256 ~= '' and r.sha256 ~= args[5] then
        audit(keys[4], { kind = 'device', id = args[1] },
              { verb = 'recording:end', object = r.id, outcome = 'deny',
                reason = 'conflict',
                detail = r.session_id .. ' sha256 ' .. args[5] })

        return { 'conflict' }
    end

    s = session(keys[2], now)

    if r.state ~= 'gone' and r.sha256 == '' then
        r.state = args[2] == 'ended' and 'kept' or 'incomplete'
        r.ended_at = r.ended_at ~= '' and r.ended_at or int(now)
        r.duration_ms, r.bytes = int(number(args[3])), int(number(args[4]))

        call('HSET', keys[1], 'state', r.state, 'ended_at', r.ended_at,
             'duration_ms', r.duration_ms, 'bytes', r.bytes,
             'sha256', args[5], 'gaps', int(number(args[6])),
             'reason', args[2],
             'expires_at', args[7] ~= '' and int(number(args[7])) or '')

        audit(keys[4], { kind = 'device', id = args[1] },
              { verb = 'recording:end', object = r.id, outcome = 'allow',
                reason = args[2] ~= 'ended' and args[2] or '',
                detail = r.session_id .. ' bytes ' .. r.bytes })
        recording.event(r, 'kept', 'state', r.state, 'reason', args[2],
                        'duration_ms', number(args[3]), 'bytes',
                        number(args[4]))
    else
        -- once more, for WAIT confirms nothing but writes
        call('HSET', keys[1], 'state', r.state)
    end

    if s and s.state ~= 'ended' and s.rec_id == r.id
       and s.rec_dev == args[1] and s.rec_state == 'on'
    then
        return { 'ok', 'live' }
    end

    if not s or s.state == 'ended' then
        recording.detach(keys[3], args[1], r.session_id, now)
    end

    return { 'ok', 'kept' }
end


-- rs_recording_gone
-- KEYS: rec, recx, rdel, audit.  ARGV: device id of the recorder.
-- ok: gone|again.  The recorder has it no more: its time was over, or it was
--     deleted.  That it was is known for 30 days.
-- Errors: not_found.  O(log recordings)

function lib.rs_recording_gone(keys, args)
    local now = now_s()
    local r

    check(keys, 4, args, 1)

    call('ZREM', keys[3], id_of(keys[1]))
    r = recording.get(keys[1])

    if not r or r.recorder_id ~= args[1] then
        return { 'not_found' }
    end

    -- also again: WAIT confirms nothing but writes

    call('HSET', keys[1], 'state', 'gone')

    if r.state == 'gone' then
        return { 'ok', 'again' }
    end

    call('EXPIRE', keys[1], int(recording.told))
    call('ZADD', keys[2], int(now + recording.told), r.id)
    audit(keys[4], { kind = 'device', id = args[1] },
          { verb = 'recording:gone', object = r.id, outcome = 'allow',
            detail = r.session_id })
    recording.event(r, 'gone', 'reason',
                    r.deleted_at ~= '' and 'deleted' or 'expired')

    return { 'ok', 'gone' }
end


-- What a recorder is to delete, after this one, which may be gone by now: equals
-- of an instant are in the order of their ids.

function recording.doomed(rdel, s, id, most)
    local at = s ~= '' and call('ZCOUNT', rdel, '-inf', '(' .. s) or 0
    local list = {}
    local flat

    repeat
        flat = call('ZRANGE', rdel, int(at), int(at + recording.work - 1),
                    'WITHSCORES')
        at = at + recording.work

        for i = 1, #flat, 2 do
            if #list < most and (flat[i + 1] ~= s or flat[i] > id) then
                list[#list + 1] = { id = flat[i], s = flat[i + 1] }
            end
        end
    until #list == most or #flat == 0

    return list
end


-- rs_recorder_work
-- KEYS: dev, rses, rdel.  ARGV: address, how many of each at most, the last word
--       of the reply before, or empty.
-- ok: {session id...} it was given, {recording id...} it is to delete, what the
--     next call is to say, or empty: that was all.  For a recorder that is here
--     again.
-- Errors: replaced.  O(sessions, deletions of a second)

function lib.rs_recorder_work(keys, args)
    local most = number(args[2])
    local ses, s, id = string.match(args[3] or '', '^(%S*) (%d*) (%S*)$')
    local sessions, ids = {}, {}
    local more, list = false, nil

    check(keys, 3, args, 3)

    if call('HGET', keys[1], 'owner') ~= args[1] then
        return { 'replaced' }
    end

    ses, s, id = ses or '', s or '', id or ''
    list = recording.given(keys[2], id_of(keys[1]), now_s())
    table.sort(list)

    for _, given in ipairs(list) do
        if given > ses then
            more = #sessions == most

            if more then
                break
            end

            sessions[#sessions + 1] = given
        end
    end

    list = recording.doomed(keys[3], s, id, most + 1)

    for i = 1, math.min(#list, most) do
        ids[i], s, id = list[i].id, list[i].s, list[i].id
    end

    if not more and #list <= most then
        return { 'ok', sessions, ids, '' }
    end

    return { 'ok', sessions, ids,
             (sessions[#sessions] or ses) .. ' ' .. s .. ' ' .. id }
end


-- rs_recording_device
-- KEYS: rec.  ARGV: none.
-- ok: device id of the recorder.  Errors: not_found.  What has it among its
--     KEYS is called with this.  O(1)

function lib.rs_recording_device(keys, args)
    local r

    check(keys, 1, args, 0)

    r = recording.get(keys[1])

    return r and { 'ok', r.recorder_id } or { 'not_found' }
end


-- rs_recording_get, guarded
-- KEYS: rec, svcs.  ARGV: none.
-- ok: recording obj.  Errors: not_found.  O(1)

function lib.rs_recording_get(keys, args, who)
    local r

    check(keys, 2, args, 0)

    r = recording.get(keys[1])

    return r and { 'ok', recording.obj(r, keys[2], now_s()) }
           or { 'not_found' }
end


-- rs_recording_delete, guarded
-- KEYS: rec, svcs, rdel.  ARGV: device id of the recorder.
-- ok: gone|asked.  Its recorder is told to delete it, now if it is here, else
--     when it is: publishes rec to its worker.
-- Errors: not_found, conflict (it is being written).  O(log deletions)

function lib.rs_recording_delete(keys, args, who)
    local now = now_s()
    local id = id_of(keys[1])
    local r, e

    check(keys, 3, args, 1)

    r = recording.get(keys[1])

    if not r or (args[1] ~= '' and r.recorder_id ~= args[1]) then
        return { 'not_found' }
    end

    who.detail = r.session_id .. ' ' .. r.recorder_id

    if r.state == 'gone' then
        return { 'ok', 'gone' }
    end

    recording.obj(r, keys[2], now)

    if r.state == 'recording' then
        return { 'conflict' }
    end

    call('HSET', keys[1], 'deleted_at', r.deleted_at ~= '' and r.deleted_at
                                        or int(now))
    call('ZADD', keys[3], int(now), id)
    e = service.get(keys[2], r.recorder_id, now)

    if e and e.owner ~= '' then
        tell(e.owner, 'rec', keys[1], id, 'delete')
    end

    return { 'ok', 'asked' }
end


-- rs_recording_open, guarded
-- KEYS: rec, tun, tuns, tunx, dev, dtun, pips, pip.
-- ARGV: tunnel id, device id of the recorder, ttl_s, tunnels of a device at
--       most, quota of the tenant's, then hash of the client's ticket, ttl_s of
--       the tickets, the caller's address (as rs_ip_key(), or empty), s when
--       his token ends (or empty).
-- ok: owner, tunnel obj, expires_at of the ticket; publishes pip open to the
--     recorder's worker, which sends the recording over it.  Leaves a line.
-- Errors: not_found, conflict (it is being written, is to be deleted, or is
--         gone), device_offline, limit_reached.  O(log tunnels)

function lib.rs_recording_open(keys, args, who)
    local ms = now_ms()
    local now = math.floor(ms / 1000)
    local expires = now + math.min(number(args[3]), TUNNEL_LIFE)
    local r, d, t, til

    check(keys, 8, args, 9)

    who.reads = true
    r = recording.get(keys[1])
    d = load_fields(keys[5], DEV)

    if not r or r.recorder_id ~= args[2] then
        return { 'not_found' }
    end

    who.detail = r.session_id .. ' ' .. id_of(keys[8])

    if (r.state ~= 'kept' and r.state ~= 'incomplete') or r.deleted_at ~= ''
    then
        return { 'conflict' }
    end

    if d.owner == '' then
        return { 'device_offline' }
    end

    if tunnel.full(keys[4], keys[6], now, args[4], args[5]) then
        return { 'limit_reached' }
    end

    tunnel.put({ keys[2], keys[3], keys[4], keys[6] }, args[1], {
        device_id = args[2], target = 'recording ' .. r.id, protocol = 'tcp',
        label = '', addresses = '', nets = '', users = who.id,
        idle_s = int(expires - now), group_id = d.group_id, port = ''
    }, who, ms, expires)

    t = tunnel.get(keys[2], now)
    til = pipe.put({ keys[2], keys[8], keys[7] }, t, d,
                   { ticket = args[6], ttl = args[7], peer = args[8],
                     ends = args[9] }, who,
                   '{"recording":' .. cjson.encode(r.id) .. '}')

    return { 'ok', d.owner, tunnel.obj(t, keys[7], now), til }
end


-- rs_pipe_offer
-- KEYS: pip, dev.
-- ARGV: the device's address, hash of the host's ticket, ttl_s.
-- ok: tunnel id, target, protocol, label, kind, id and name of who asks,
--     expires_at of the ticket.
-- Errors: not_found, conflict (it was offered, is over, or the device is
--         elsewhere by now).  O(1)

function lib.rs_pipe_offer(keys, args)
    local now = now_s()
    local p

    check(keys, 2, args, 3)

    p = pipe.get(keys[1])

    if not p or p.device_id ~= id_of(keys[2]) then
        return { 'not_found' }
    end

    if p.ended ~= '' or p.host_until ~= ''
       or call('HGET', keys[2], 'owner') ~= args[1]
    then
        return { 'conflict' }
    end

    call('HSET', keys[1], 'host_ticket', args[2], 'host_until',
         int(now + number(args[3])), 'offered', args[1])

    return { 'ok', p.object, p.target, p.protocol, p.label, p.by_kind,
             p.by_id, p.by_name, int(now + number(args[3])) }
end


-- rs_pipe_refuse
-- KEYS: pip, tun, dev, pips, audit, tuns, tunx, dtun.
-- ARGV: the device's address, error code, detail.
-- ok: refused|stale.  The client is told: publishes pip cut to its socket if
--     it is there, else when it comes.  O(1)

function lib.rs_pipe_refuse(keys, args)
    local p, t

    check(keys, 8, args, 3)

    p = pipe.get(keys[1])

    if not p or p.device_id ~= id_of(keys[3]) or p.object ~= id_of(keys[2])
       or p.ended ~= '' or p.host ~= ''
       or call('HGET', keys[3], 'owner') ~= args[1]
    then
        return { 'ok', 'stale' }
    end

    pipe.over(p, keys[4], args[2])
    pipe.audit(keys[5], p, 'pipe:refuse', {}, 'deny', args[2],
               ' ' .. p.device_id .. ' ' .. args[3])

    if p.client ~= '' then
        tell(p.client, 'pip', keys[1], p.id, 'cut ' .. args[2])
    end

    t = tunnel.get(keys[2], now_s())

    if t and tunnel.once(t) then
        if tunnel.command(t) then
            tunnel.ran(t, 'refused', p.id, 'reason', args[2])
        end

        tunnel.over(t, { keys[2], keys[6], keys[7], keys[8] })
    elseif t then
        tunnel.event(t, 'tunnel.refused', 'pipe_id', p.id, 'reason', args[2])
    end

    return { 'ok', 'refused' }
end


-- rs_pipe_attach
-- KEYS: pip.
-- ARGV: side (client or host), hash of the ticket, the same bound to an
--       origin, address of the socket, how others reach it, a nonce of its
--       own.
-- ok: first|second, kind (tunnel or session), object, device id, address of
--     the other leg, how to reach it, its nonce, protocol, idle_s, ends_at (s),
--     kind and id of the key of who is the client, he as the gateway described
--     him, then kind, id and name of him.
-- Uses the ticket up; the nonce of who was first is told once, to the second.
-- Errors: unauthenticated, or why the pipe is over.  O(1)

function lib.rs_pipe_attach(keys, args)
    local side = args[1]
    local other = OTHER[side]
    local now = now_s()
    local p, ticket, kind, id

    check(keys, 1, args, 6)

    if not other then
        error('rs: "' .. side .. '" is no side')
    end

    p = pipe.get(keys[1])
    ticket = p and p[side .. '_ticket'] or ''

    if ticket == '' or (ticket ~= args[2] and ticket ~= args[3])
       or now >= tonumber(p[side .. '_until'])
    then
        return { 'unauthenticated' }
    end

    call('HDEL', keys[1], side .. '_ticket', 'nonce')

    if p.ended ~= '' then
        return { p.ended }
    end

    call('HSET', keys[1], side, args[4], side .. '_link', args[5])
    call('EXPIRE', keys[1], int(PIPE_KEEP))

    if p[other] == '' then
        call('HSET', keys[1], 'nonce', args[6])
    end

    kind, id = string.match(p.auth, '}:(%l+):(.*)$')

    return { 'ok', p[other] == '' and 'first' or 'second', p.kind, p.object,
             p.device_id, p[other], p[other .. '_link'],
             p[other] ~= '' and p.nonce or '', p.protocol, p.idle_s,
             p.ends_at, kind or '', id or '', p.caller, p.by_kind, p.by_id,
             p.by_name }
end


-- rs_pipe_check, guarded
-- KEYS: pip, tun and dev, or ses and par, pips.
-- ARGV: the client's address (as rs_ip_key(); empty: unknown).
-- ok: ends_at (s).  May the client still?  The caller is the one who opened
--     it, as the gateway described him; of a session's pipe the gateway.  What
--     he may not leaves no line here, but one of rs_pipe_gone.
-- Errors: not_found, tunnel_ended, device_removed, forbidden, session_ended.
-- O(log pipes)

function pipe.may_tunnel(p, keys, args, who, now)
    local t = tunnel.get(keys[2], now)
    local d = load_fields(keys[3], DEV)
    local verb

    if who.text ~= p.caller then
        error('rs: "' .. p.id .. '" is of another caller')
    end

    if d.created_at == '' then
        return { 'device_removed' }
    end

    if not t then
        return { 'tunnel_ended' }
    end

    verb = tunnel.command(t) and 'commands:run'
           or tunnel.recording(t) and 'recordings:read' or 'tunnels:use'

    if not allowed(who, verb, d.group_id) or not tunnel.lets(t, who.id, args[1])
    then
        return { 'forbidden' }
    end

    return nil
end


function pipe.may_session(p, keys, now)
    local s = session(keys[2], now)
    local there = { joined = true, away = true }

    if not s or s.state == 'ended' then
        return { 'session_ended' }
    end

    for _, id in ipairs({ p.client_par, p.host_par }) do
        local par = participant(keys[3], id)

        if not par or not there[par.state] then
            return { 'session_ended' }
        end
    end

    return nil
end


function lib.rs_pipe_check(keys, args, who)
    local now = now_s()
    local p, no, ends

    check(keys, 4, args, 1)

    who.list = true
    p = pipe.get(keys[1])

    if not p or p.ended ~= '' or p.object ~= id_of(keys[2])
       or (p.kind == 'tunnel' and p.device_id ~= id_of(keys[3]))
    then
        return { 'not_found' }
    end

    no = p.kind == 'tunnel' and pipe.may_tunnel(p, keys, args, who, now)
         or p.kind == 'session' and pipe.may_session(p, keys, now)
    if no then
        return no
    end

    ends = math.min(tonumber(p.ends_at), who.expires_at or math.huge)
    pipe.keep(keys[4], keys[1], now + PIPE_KEEP)

    return { 'ok', int(ends) }
end


-- rs_pipe_gone
-- KEYS: pip, tun or ses, pips, audit; of a tunnel's also tuns, tunx, dtun.
-- ARGV: side, address of its socket, bytes from and to the client, why (an
--       error code, or empty: it was closed as it should), the client's
--       address, request id.
-- ok: gone|stale (the other side was first).  The line of the audit is by who
--     opened it.  A command's tunnel is over.  Publishes pip cut to a device
--     that was asked and has not come.  O(log pipes)

function lib.rs_pipe_gone(keys, args)
    local up, down = number(args[3] or ''), number(args[4] or '')
    local p, t

    check(keys, #keys == 4 and 4 or 7, args, 7)

    p = pipe.get(keys[1])

    if not p or p.ended ~= '' or p.object ~= id_of(keys[2])
       or (p.kind == 'tunnel' and #keys ~= 7) or args[2] == '' or p[args[1]] ~= args[2]
    then
        return { 'ok', 'stale' }
    end

    pipe.over(p, keys[3], args[5] ~= '' and args[5] or 'pipe_broken')
    pipe.audit(keys[4], p, 'pipe:end', { addr = args[6], rid = args[7] },
               'allow', args[5],
               (tunnel.once(p) and ' ' .. p.target or '')
               .. ' up ' .. int(up) .. ' down ' .. int(down) .. ' s '
               .. int(now_s() - tonumber(p.made_at)))

    if p.host == '' and p.offered ~= '' then
        tell(p.offered, 'pip', keys[1], p.id,
             'cut ' .. (args[5] ~= '' and args[5] or 'pipe_broken'))
    end

    t = p.kind == 'tunnel' and tunnel.get(keys[2], now_s())

    if t and tunnel.once(t) then
        if tunnel.command(t) then
            tunnel.ran(t, 'ended', p.id, 'reason', args[5], 'down', down)
        end

        tunnel.over(t, { keys[2], keys[5], keys[6], keys[7] })

    elseif t then
        call('HINCRBY', keys[2], 'up', int(up))
        call('HINCRBY', keys[2], 'down', int(down))
        call('HSET', keys[2], 'used_at', int(now_s()))
        tunnel.event(t, 'tunnel.closed', 'pipe_id', p.id, 'reason', args[5],
                     'up', up, 'down', down)
    end

    return { 'ok', 'gone' }
end


-- rs_pipe_join
-- KEYS: pip, ses, par, mem, pips.
-- ARGV: par id, address of its socket, par id of the other, hash of the
--       ticket, ttl_s, idle_s, pipes of a session at most.
-- ok: side, expires_at of the ticket.  Who asks first makes the pipe.
-- Errors: session_ended, replaced (the address is not the member's),
--         unknown_peer, forbidden (none of the two is the host), not_recorded,
--         conflict (the name is another pipe's, or this side has come), limit_reached.
-- O(log pipes)

function pipe.pair(s, keys, args)
    local a = participant(keys[3], args[1])
    local b = participant(keys[3], args[3])

    if not b or a.id == b.id or (b.state ~= 'joined' and b.state ~= 'away')
    then
        return nil, { 'unknown_peer' }
    end

    if a.id ~= s.host_par and b.id ~= s.host_par then
        return nil, { 'forbidden' }
    end

    return a.id == s.host_par and { client = b, host = a, side = 'host' }
           or { client = a, host = b, side = 'client' }
end


function pipe.joined(keys, s, pair, args, now)
    local c = pair.client

    call('HSET', keys[1], 'kind', 'session', 'object', s.id, 'device_id',
         s.device_id, 'client_par', c.id, 'host_par', pair.host.id,
         'ends_at', s.expires_at, 'idle_s', int(number(args[6])),
         'by_kind', 'participant', 'by_id', c.id, 'by_name', c.name,
         'made_at', int(now))
    pipe.keep(keys[5], keys[1], now + number(args[5]) + PIPE_TOLD)
end


function lib.rs_pipe_join(keys, args)
    local now = now_s()
    local s, pair, no, p

    check(keys, 5, args, 7)

    s = session(keys[2], now)

    if not s or s.state == 'ended' then
        return { 'session_ended' }
    end

    if args[2] == '' or call('HGET', keys[4], 'a:' .. args[1]) ~= args[2] then
        return { 'replaced' }
    end

    pair, no = pipe.pair(s, keys, args)
    if not pair then
        return no
    end

    if s.state == 'waiting_recorder' and pair.client.id ~= s.rec_par then
        return { 'not_recorded' }
    end

    p = pipe.get(keys[1])

    if not p and pipe.full(keys[5], now, args[7]) then
        return { 'limit_reached' }
    end

    if p and (p.kind ~= 'session' or p.object ~= s.id or p.ended ~= ''
              or p.client_par ~= pair.client.id
              or p.host_par ~= pair.host.id or p[pair.side] ~= '')
    then
        return { 'conflict' }
    end

    if not p then
        pipe.joined(keys, s, pair, args, now)
    end

    call('HSET', keys[1], pair.side .. '_ticket', args[4],
         pair.side .. '_until', int(now + number(args[5])))

    return { 'ok', pair.side, int(now + number(args[5])) }
end

end


local function register(name, callback, flags)
    redis.register_function({ function_name = name, callback = callback,
                              flags = flags })
end


register('rs_version', lib.rs_version, READ)
register('rs_lease', lib.rs_lease, ALWAYS)
register('rs_lease_drop', lib.rs_lease_drop, ALWAYS)
register('rs_tenant', lib.rs_tenant, ALWAYS)
register('rs_reap_tenant', lib.rs_reap_tenant, ALWAYS)
register('rs_duties', lib.rs_duties, READ)
register('rs_own_keep', lib.rs_own_keep, ALWAYS)
register('rs_auth', guarded(lib.rs_auth, ANYONE), ALWAYS)
register('rs_key_put', lib.rs_key_put, WRITE)
register('rs_key_delete', lib.rs_key_delete, ALWAYS)
register('rs_key_list', lib.rs_key_list, READ)
register('rs_key_get', lib.rs_key_get, READ)
register('rs_index_list', guarded(lib.rs_index_list), ALWAYS)
register('rs_session_create', guarded(lib.rs_session_create), WRITE)
register('rs_session_retry', guarded(lib.rs_session_retry), WRITE)
register('rs_session_get', guarded(lib.rs_session_get), ALWAYS)
register('rs_session_end', guarded(lib.rs_session_end), ALWAYS)
register('rs_session_consent', lib.rs_session_consent, WRITE)
register('rs_device_unlink', lib.rs_device_unlink, ALWAYS)
register('rs_participant_add', guarded(lib.rs_participant_add), WRITE)
register('rs_participant_retry', guarded(lib.rs_participant_retry), WRITE)
register('rs_join', lib.rs_join, WRITE)
register('rs_resume', lib.rs_resume, WRITE)
register('rs_append', lib.rs_append, WRITE)
register('rs_state', lib.rs_state, WRITE)
register('rs_control', lib.rs_control, WRITE)
register('rs_leave', lib.rs_leave, ALWAYS)
register('rs_adopt', lib.rs_adopt, ALWAYS)
register('rs_lost', lib.rs_lost, ALWAYS)
register('rs_sync', lib.rs_sync, ALWAYS)
register('rs_range', lib.rs_range, READ)
register('rs_route', lib.rs_route, READ)
register('rs_turn_session', guarded(lib.rs_turn_session), WRITE)
register('rs_turn_revoke', guarded(lib.rs_turn_revoke), ALWAYS)
register('rs_turn_tenant', lib.rs_turn_tenant, ALWAYS)
register('rs_turn_tenants', lib.rs_turn_tenants, READ)
register('rs_turn_list', lib.rs_turn_list, READ)
register('rs_turn_check', lib.rs_turn_check, READ)
register('rs_turn_usage', lib.rs_turn_usage, WRITE)
register('rs_enrollment_create', guarded(lib.rs_enrollment_create), WRITE)
register('rs_enrollment_renew', guarded(lib.rs_enrollment_renew), WRITE)
register('rs_enrollment_get', guarded(lib.rs_enrollment_get), ALWAYS)
register('rs_enrollment_delete', guarded(lib.rs_enrollment_delete), ALWAYS)
register('rs_device_create', lib.rs_device_create, WRITE)
register('rs_device_get', guarded(lib.rs_device_get), ALWAYS)
register('rs_device_patch', guarded(lib.rs_device_patch), WRITE)
register('rs_device_delete', guarded(lib.rs_device_delete), ALWAYS)
register('rs_device_online', lib.rs_device_online, WRITE)
register('rs_device_offline', lib.rs_device_offline, ALWAYS)
register('rs_device_rotate', lib.rs_device_rotate, WRITE)
register('rs_device_mismatch', lib.rs_device_mismatch, ALWAYS)
register('rs_service_load', lib.rs_service_load, WRITE)
register('rs_service_place', lib.rs_service_place, READ)
register('rs_service_taken', lib.rs_service_taken, ALWAYS)
register('rs_session_queue', lib.rs_session_queue, WRITE)
register('rs_session_move', lib.rs_session_move, WRITE)
register('rs_invite', lib.rs_invite, WRITE)
register('rs_bootstrap_put', lib.rs_bootstrap_put, WRITE)
register('rs_bootstrap_use', lib.rs_bootstrap_use, WRITE)
register('rs_login_put', lib.rs_login_put, WRITE)
register('rs_login_use', lib.rs_login_use, WRITE)
register('rs_link_create', guarded(lib.rs_link_create), WRITE)
register('rs_link_renew', guarded(lib.rs_link_renew), WRITE)
register('rs_link_list', guarded(lib.rs_link_list), ALWAYS)
register('rs_link_delete', guarded(lib.rs_link_delete), ALWAYS)
register('rs_link_use', lib.rs_link_use, WRITE)
register('rs_help_create', guarded(lib.rs_help_create), WRITE)
register('rs_help_put', lib.rs_help_put, WRITE)
register('rs_help_take', lib.rs_help_take, WRITE)
register('rs_help_use', lib.rs_help_use, WRITE)
register('rs_ban_fail', lib.rs_ban_fail, WRITE)
register('rs_ban_list', lib.rs_ban_list, READ)
register('rs_ban_lift', lib.rs_ban_lift, ALWAYS)
register('rs_group_create', guarded(lib.rs_group_create, WIDE), WRITE)
register('rs_group_list', guarded(lib.rs_group_list), ALWAYS)
register('rs_group_get', guarded(lib.rs_group_get), ALWAYS)
register('rs_group_patch', guarded(lib.rs_group_patch, WIDE), WRITE)
register('rs_group_delete', guarded(lib.rs_group_delete, WIDE), ALWAYS)
register('rs_policy_put', guarded(lib.rs_policy_put, WIDE), WRITE)
register('rs_policy_list', guarded(lib.rs_policy_list, WIDE), ALWAYS)
register('rs_policy_get', guarded(lib.rs_policy_get, WIDE), ALWAYS)
register('rs_policy_delete', guarded(lib.rs_policy_delete, WIDE), ALWAYS)
register('rs_grant_create', guarded(lib.rs_grant_create, WIDE), WRITE)
register('rs_grant_list', guarded(lib.rs_grant_list, WIDE), ALWAYS)
register('rs_grant_get', guarded(lib.rs_grant_get, WIDE), ALWAYS)
register('rs_grant_delete', guarded(lib.rs_grant_delete, WIDE), ALWAYS)
register('rs_key_create', guarded(lib.rs_key_create, WIDE), WRITE)
register('rs_key_page', guarded(lib.rs_key_page, WIDE), ALWAYS)
register('rs_key_find', guarded(lib.rs_key_find, WIDE), ALWAYS)
register('rs_key_revoke', guarded(lib.rs_key_revoke, WIDE), ALWAYS)
register('rs_user_revoke', guarded(lib.rs_user_revoke, ANYONE), ALWAYS)
register('rs_audit_list', guarded(lib.rs_audit_list, WIDE), ALWAYS)
register('rs_audit_trim', guarded(lib.rs_audit_trim, WIDE), ALWAYS)
register('rs_denied', lib.rs_denied, WRITE)
register('rs_watch_create', guarded(lib.rs_watch_create), WRITE)
register('rs_watch_open', lib.rs_watch_open, WRITE)
register('rs_watch_check', guarded(lib.rs_watch_check), ALWAYS)
register('rs_tunnel_create', guarded(lib.rs_tunnel_create), WRITE)
register('rs_tunnel_room', guarded(lib.rs_tunnel_room), WRITE)
register('rs_tunnel_get', guarded(lib.rs_tunnel_get), ALWAYS)
register('rs_tunnel_patch', guarded(lib.rs_tunnel_patch), WRITE)
register('rs_tunnel_delete', guarded(lib.rs_tunnel_delete), ALWAYS)
register('rs_tunnel_device', lib.rs_tunnel_device, READ)
register('rs_port_take', lib.rs_port_take, WRITE)
register('rs_port_keep', lib.rs_port_keep, WRITE)
register('rs_port_get', lib.rs_port_get, READ)
register('rs_port_free', lib.rs_port_free, ALWAYS)
register('rs_tunnel_admit', guarded(lib.rs_tunnel_admit), WRITE)
register('rs_port_enter', lib.rs_port_enter, ALWAYS)
register('rs_pipe_open', guarded(lib.rs_pipe_open), WRITE)
register('rs_command_open', guarded(lib.rs_command_open), WRITE)
register('rs_recording_begin', lib.rs_recording_begin, WRITE)
register('rs_recording_end', lib.rs_recording_end, WRITE)
register('rs_recording_gone', lib.rs_recording_gone, ALWAYS)
register('rs_recorder_failed', lib.rs_recorder_failed, ALWAYS)
register('rs_recorder_work', lib.rs_recorder_work, READ)
register('rs_recording_device', lib.rs_recording_device, READ)
register('rs_recording_get', guarded(lib.rs_recording_get, WIDE), ALWAYS)
register('rs_recording_delete', guarded(lib.rs_recording_delete, WIDE),
         ALWAYS)
register('rs_recording_open', guarded(lib.rs_recording_open, WIDE), WRITE)
register('rs_pipe_offer', lib.rs_pipe_offer, WRITE)
register('rs_pipe_refuse', lib.rs_pipe_refuse, ALWAYS)
register('rs_pipe_attach', lib.rs_pipe_attach, WRITE)
register('rs_pipe_check', guarded(lib.rs_pipe_check), ALWAYS)
register('rs_pipe_gone', lib.rs_pipe_gone, ALWAYS)
register('rs_pipe_join', lib.rs_pipe_join, WRITE)
register('rs_event_list', guarded(lib.rs_event_list), ALWAYS)
register('rs_event_tail', lib.rs_event_tail, READ)
register('rs_webhook_tenant', lib.rs_webhook_tenant, WRITE)
register('rs_webhook_tenants', lib.rs_webhook_tenants, READ)
register('rs_webhook_create', guarded(lib.rs_webhook_create, WIDE), WRITE)
register('rs_webhook_list', guarded(lib.rs_webhook_list, WIDE), ALWAYS)
register('rs_webhook_get', guarded(lib.rs_webhook_get, WIDE), ALWAYS)
register('rs_webhook_patch', guarded(lib.rs_webhook_patch, WIDE), WRITE)
register('rs_webhook_delete', guarded(lib.rs_webhook_delete, WIDE), ALWAYS)
register('rs_webhook_work', lib.rs_webhook_work, READ)
register('rs_webhook_told', lib.rs_webhook_told, ALWAYS)
register('rs_webhook_lease', lib.rs_webhook_lease, ALWAYS)
