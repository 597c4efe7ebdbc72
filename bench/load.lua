-- wrk -s load.lua URL -- HEADER FIELDS TEMPLATE repeat|once
--
-- FIELDS has a line for each request: the value of HEADER, the device, the command.  With `once` each is sent once;
-- when they are used up the last one goes out again, as a device would repeat it, and `exhausted` says so.
-- One thread only: so `sent` says which requests went out.

-- Nothing of them is kept in memory.  LuaJIT files a string by its length and some of its characters, of which these
-- have the same; until those that went out are collected, making one means comparing it with each of them.
local fields, first, last
local template, once
local verifying = true

sent = 0
exhausted = 0

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local header = args[1]
  once = args[4] == "once"
  local file = assert(io.open(args[3], "rb"))
  template = file:read("*a")
  file:close()
  local before, between, after = template:match("^(.-)@UDID@(.-)@UUID@(.*)$")
  if not before then
    before, between = template:match("^(.-)@UDID@(.*)$")
    after = ""
  end
  template = { header = header, before = before, between = between, after = after }
  fields = assert(io.open(args[2], "rb"))
  first = fields:read("*l")
  fields:seek("set")
end

local function build(line)
  local proof, device, command = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)$")
  local body = template.before .. device .. template.between .. command .. template.after
  return wrk.format("PUT", nil, { [template.header] = proof, ["Content-Type"] = "application/x-apple-aspen-mdm" }, body)
end

function request()
  if verifying then -- before it begins, wrk asks for a request that it does not send
    verifying = false
    return build(first)
  end
  local line = fields:read("*l")
  if not line then
    if once then
      exhausted = exhausted + 1
      return build(last)
    end
    fields:seek("set")
    sent = 0
    line = fields:read("*l")
  end
  last = line
  sent = sent + 1
  return build(line)
end

function done(summary, latency, _)
  local thread = threads[1]
  local errors = summary.errors
  io.write(string.format(
    '{"answered": %d, "seconds": %f, "errors": %d, "p50": %f, "p99": %f, "sent": %d, "exhausted": %d}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    thread:get("sent"), thread:get("exhausted")))
end
