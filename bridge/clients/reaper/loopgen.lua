-- loopgen for REAPER: makes a loop at the project's tempo and time signature and puts it at the edit cursor.
-- If a MIDI item is selected, the loop follows its notes. The server has to run: loopgen serve
--
-- ReaScript has no sockets, so `loopgen send generate` does the talking: it is started without waiting, and a deferred
-- function looks for its result, so that REAPER never stands still.

local M = {}

local PPQ = 960
local PATIENCE = 660 -- seconds; the client itself gives up after 600
local SECTION = "loopgen" -- where REAPER remembers what was typed last

-- == what the project says =============================================================================================

-- Quarter notes a minute at a time, whatever the time signature counts; as text, for it has to be exact.
function M.tempo(reaper, time)
  local quarter, step = reaper.TimeMap2_timeToQN(0, time), 1 / 16
  local seconds = reaper.TimeMap2_QNToTime(0, quarter + step) - reaper.TimeMap2_QNToTime(0, quarter)
  return (string.format("%.6f", 60 * step / seconds):gsub("0+$", ""):gsub("%.$", ""))
end

function M.meter(reaper, time)
  local numerator, denominator = reaper.TimeMap_GetTimeSigAtTime(0, time)
  return string.format("%d/%d", numerator, denominator)
end

-- The notes of the selected MIDI item: { start, length, pitch, velocity } in quarters from the item's start, and the
-- item's length; nil without one.
function M.melody(reaper)
  local item = reaper.GetSelectedMediaItem(0, 0)
  local take = item and reaper.GetActiveTake(item)
  if not take or not reaper.TakeIsMIDI(take) then return nil end
  local position = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local first = reaper.TimeMap2_timeToQN(0, position)
  local last = reaper.TimeMap2_timeToQN(0, position + reaper.GetMediaItemInfo_Value(item, "D_LENGTH"))
  local notes = {}
  local _, count = reaper.MIDI_CountEvts(take)
  for i = 0, count - 1 do
    local _, _, muted, from, to, _, pitch, velocity = reaper.MIDI_GetNote(take, i)
    from = math.max(reaper.MIDI_GetProjQNFromPPQPos(take, from), first)
    to = math.min(reaper.MIDI_GetProjQNFromPPQPos(take, to), last)
    if not muted and to > from then
      notes[#notes + 1] = { start = from - first, length = to - from, pitch = pitch, velocity = velocity }
    end
  end
  if #notes == 0 then return nil end
  return notes, last - first
end

-- == a MIDI file =======================================================================================================

local function variable_length(value)
  local bytes = string.char(value & 0x7F)
  while value > 0x7F do
    value = value >> 7
    bytes = string.char(0x80 | (value & 0x7F)) .. bytes
  end
  return bytes
end

-- The bytes of a MIDI file of one track.
function M.midi(notes, length)
  local events = {}
  for _, note in ipairs(notes) do
    local from = math.floor(note.start * PPQ + 0.5)
    local to = math.max(from + 1, math.floor((note.start + note.length) * PPQ + 0.5))
    events[#events + 1] = { from, 1, string.char(0x90, note.pitch, math.max(1, note.velocity)) }
    events[#events + 1] = { to, 0, string.char(0x80, note.pitch, 0) }
  end
  table.sort(events, function(a, b) -- what ends comes before what begins at the same time
    if a[1] ~= b[1] then return a[1] < b[1] end
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a[3] < b[3]
  end)
  local parts, now = {}, 0
  for _, event in ipairs(events) do
    parts[#parts + 1] = variable_length(event[1] - now) .. event[3]
    now = event[1]
  end
  local finish = math.max(now, math.floor(length * PPQ + 0.5))
  parts[#parts + 1] = variable_length(finish - now) .. "\xFF\x2F\x00"
  local track = table.concat(parts)
  return "MThd" .. string.pack(">I4I2I2I2", 6, 0, 1, PPQ) .. "MTrk" .. string.pack(">I4", #track) .. track
end

-- == the command =======================================================================================================

-- A script that runs the client, its output going to base.out and base.err, and its status to base.rc at the very end.
function M.script(windows, program, words, base)
  if windows then
    local function quoted(text) return '"' .. text:gsub("[\r\n]", " "):gsub('"', "'"):gsub("%%", "%%%%") .. '"' end
    local line = { quoted(program) }
    for _, word in ipairs(words) do line[#line + 1] = quoted(word) end
    return table.concat({
      "@echo off", "chcp 65001 >nul",
      table.concat(line, " ") .. " >" .. quoted(base .. ".out") .. " 2>" .. quoted(base .. ".err"),
      "echo %errorlevel% >" .. quoted(base .. ".tmp"),
      "move /y " .. quoted(base .. ".tmp") .. " " .. quoted(base .. ".rc") .. " >nul", "",
    }, "\r\n")
  end
  local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end
  local line = { quoted(program) }
  for _, word in ipairs(words) do line[#line + 1] = quoted(word) end
  return table.concat({
    table.concat(line, " ") .. " >" .. quoted(base .. ".out") .. " 2>" .. quoted(base .. ".err"),
    "echo $? >" .. quoted(base .. ".tmp"),
    "mv " .. quoted(base .. ".tmp") .. " " .. quoted(base .. ".rc"), "",
  }, "\n")
end

local function unescaped(text)
  local plain = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
  text = text:gsub("\\u[dD]([89abAB]%x%x)\\u[dD]([c-fC-F]%x%x)", function(high, low)
    return utf8.char(0x10000 + ((tonumber(high, 16) - 0x800) << 10) + (tonumber(low, 16) - 0xC00))
  end)
  text = text:gsub("\\u(%x%x%x%x)", function(code)
    return code == "005c" and "\\\\" or utf8.char(tonumber(code, 16))
  end)
  return (text:gsub("\\(.)", function(letter) return plain[letter] or letter end))
end

-- The loop out of what the client printed: { path, seconds, summary }, or nil and what to tell.
function M.result(status, out, err)
  out = out:gsub("\\\\", "\\u005c"):gsub('\\"', "\\u0022") -- so that every quote ends a text
  local function field(name) return out:match('"loops".-"' .. name .. '":%s*"([^"]*)"') end
  local frames, rate = out:match('"frames":%s*(%d+)'), out:match('"rate":%s*(%d+)')
  if status == 0 and field("path") and frames and rate then
    return { path = unescaped(field("path")), seconds = frames / rate, summary = unescaped(field("summary") or "") }
  end
  if status == 127 or status == 9009 then
    return nil, "The loopgen program was not found. Give its whole path: `which loopgen`, on Windows `where loopgen`."
  end
  err = err:gsub("^%s+", ""):gsub("%s+$", "")
  return nil, err ~= "" and err or "loopgen ended with status " .. tostring(status)
end

-- == the loop into the project =========================================================================================

-- Inserts a loop at a time (seconds) as an item of exactly its length that repeats when it is drawn longer.
function M.insert(reaper, loop, time, on_new_track)
  reaper.Undo_BeginBlock()
  local cursor = reaper.GetCursorPosition()
  reaper.SelectAllMediaItems(0, false)
  reaper.SetEditCurPos(time, false, false)
  reaper.InsertMedia(loop.path, on_new_track and 1 or 0)
  local item = reaper.GetSelectedMediaItem(0, 0)
  if item then
    local take = reaper.GetActiveTake(item)
    reaper.SetMediaItemTakeInfo_Value(take, "D_PLAYRATE", 1) -- it has the tempo already, whatever REAPER made of it
    reaper.SetMediaItemTakeInfo_Value(take, "D_STARTOFFS", 0)
    reaper.SetMediaItemInfo_Value(item, "D_POSITION", time)
    reaper.SetMediaItemInfo_Value(item, "D_LENGTH", loop.seconds)
    reaper.SetMediaItemInfo_Value(item, "D_FADEINLEN", 0) -- a fade would be heard at the seam
    reaper.SetMediaItemInfo_Value(item, "D_FADEOUTLEN", 0)
    reaper.SetMediaItemInfo_Value(item, "B_LOOPSRC", 1)
  end
  reaper.SetEditCurPos(cursor, false, false)
  reaper.UpdateArrange()
  reaper.Undo_EndBlock("loopgen: insert loop", -1)
  return item ~= nil
end

-- == the run ===========================================================================================================

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

-- What the user types; nil when the dialog is cancelled.
local function ask(reaper)
  local names = { "prompt", "bars", "key", "preset", "program" }
  local last = { prompt = "dub techno", bars = "4", program = "loopgen" }
  local values = {}
  for i, name in ipairs(names) do
    values[i] = reaper.HasExtState(SECTION, name) and reaper.GetExtState(SECTION, name) or last[name] or ""
  end
  local labels = "Prompt:,Bars:,Key (empty: any):,Preset (may be empty):,loopgen program:,extrawidth=300,separator=\n"
  local ok, typed = reaper.GetUserInputs("loopgen", #names, labels, table.concat(values, "\n"))
  if not ok then return nil end
  local answers, i = {}, 0
  for value in (typed .. "\n"):gmatch("(.-)\n") do
    i = i + 1
    if names[i] then
      answers[names[i]] = value
      reaper.SetExtState(SECTION, names[i], value, true)
    end
  end
  return answers
end

function M.main(reaper)
  local time = reaper.GetCursorPosition()
  local notes, length = M.melody(reaper)
  local answers = ask(reaper)
  if not answers then return end

  local windows = reaper.GetOS():match("^Win") ~= nil
  local folder = reaper.GetResourcePath() .. "/loopgen"
  reaper.RecursiveCreateDirectory(folder, 0)
  local base = string.format("%s/%d-%d", folder, os.time(), math.floor(reaper.time_precise() * 1000) % 1000000)
  local script, midi = base .. (windows and ".cmd" or ".sh"), base .. ".mid"
  local words = { "send", "generate", "--json", "tempo=" .. M.tempo(reaper, time), "meter=" .. M.meter(reaper, time) }
  for _, name in ipairs({ "prompt", "bars", "key", "preset" }) do
    if answers[name] ~= "" then words[#words + 1] = name .. "=" .. answers[name] end
  end
  if notes then
    write(midi, M.midi(notes, length))
    words[#words + 1] = "melody=" .. midi
  end
  write(script, M.script(windows, answers.program, words, base))
  local shell = windows and 'cmd.exe /c "' .. script:gsub("/", "\\") .. '"' or '/bin/sh "' .. script .. '"'
  reaper.ExecProcess(shell, -2) -- without waiting, without a window

  local function clean_up()
    for _, path in ipairs({ script, midi, base .. ".out", base .. ".err", base .. ".rc" }) do os.remove(path) end
  end

  local begun = reaper.time_precise()
  local function look()
    local status = read(base .. ".rc")
    if not status and reaper.time_precise() - begun > PATIENCE then
      clean_up()
      return reaper.ShowMessageBox("Nothing has come back. Is `loopgen serve` running?", "loopgen", 0)
    elseif not status then
      reaper.Help_Set(string.format("loopgen: making the loop ... %.0f s", reaper.time_precise() - begun), true)
      return reaper.defer(look)
    end
    local loop, problem = M.result(tonumber(status), read(base .. ".out") or "", read(base .. ".err") or "")
    clean_up()
    reaper.Help_Set("", true)
    if loop and M.insert(reaper, loop, time, notes ~= nil or reaper.CountSelectedTracks(0) == 0) then
      reaper.Help_Set("loopgen: " .. loop.summary, true)
    else
      reaper.ShowMessageBox(problem or "REAPER could not insert " .. loop.path, "loopgen", 0)
    end
  end
  reaper.defer(look)
end

if reaper then M.main(reaper) end
return M
