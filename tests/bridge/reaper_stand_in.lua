-- The few functions of REAPER that the script calls, genuine but small: a project with one tempo, one MIDI item,
-- and items that are inserted. Run as: lua reaper_stand_in.lua SCRIPT FOLDER PROGRAM BPM METER CURSOR NOTES
-- NOTES: "pitch,start,end,velocity,muted;..." in quarters from the project's start; the item lasts from 4 to 12.
-- What the script did is printed, one line an act.

local script, folder, program, bpm, meter, cursor, notes = table.unpack(arg)
local numerator, denominator = meter:match("(%d+)/(%d+)")
local quarter = 60 / tonumber(bpm)
local PPQ = 480

local midi_item = { D_POSITION = 4 * quarter, D_LENGTH = 8 * quarter, take = { is_midi = true, notes = {} } }
for pitch, from, to, velocity, muted in notes:gmatch("(%d+),([%d.]+),([%d.]+),(%d+),(%d)") do
  table.insert(midi_item.take.notes, { muted == "1", from * PPQ, to * PPQ, tonumber(pitch), tonumber(velocity) })
end
local items, selected = { midi_item }, notes ~= "" and midi_item or nil
local position, deferred, state = tonumber(cursor), {}, {}

local function say(...) print(table.concat({ ... }, "\t")) end

local function wav_seconds(path)
  local file = assert(io.open(path, "rb"))
  local data = file:read("a")
  file:close()
  local at, rate, align, seconds = 13, nil, nil, nil
  while at + 8 <= #data do
    local name, size = data:sub(at, at + 3), string.unpack("<I4", data, at + 4)
    if name == "fmt " then rate, align = string.unpack("<I4", data, at + 12), string.unpack("<I2", data, at + 20) end
    if name == "data" then seconds = size / align / rate end
    at = at + 8 + size + size % 2
  end
  return seconds
end

reaper = {
  GetOS = function() return "Other" end,
  GetResourcePath = function() return folder end,
  RecursiveCreateDirectory = function(path) os.execute("mkdir -p '" .. path .. "'") end,
  time_precise = function() return os.time() + os.clock() % 1 end,
  GetCursorPosition = function() return position end,
  SetEditCurPos = function(time) position = time end,
  HasExtState = function(section, key) return state[key] ~= nil end,
  GetExtState = function(section, key) return state[key] end,
  SetExtState = function(section, key, value) state[key] = value end,
  GetUserInputs = function(title, count, captions, values)
    say("asked", count, (values:gsub("\n", "|")))
    return true, "dub techno, it's \"rainy\"; 100%\n2\nAm\n\n" .. program
  end,
  TimeMap2_timeToQN = function(project, time) return time / quarter end,
  TimeMap2_QNToTime = function(project, qn) return qn * quarter end,
  TimeMap_GetTimeSigAtTime = function() return tonumber(numerator), tonumber(denominator), tonumber(bpm) end,
  GetSelectedMediaItem = function(project, index) return index == 0 and selected or nil end,
  GetActiveTake = function(item) return item.take end,
  TakeIsMIDI = function(take) return take.is_midi end,
  GetMediaItemInfo_Value = function(item, name) return item[name] end,
  SetMediaItemInfo_Value = function(item, name, value) item[name] = value end,
  SetMediaItemTakeInfo_Value = function(take, name, value) take[name] = value end,
  MIDI_CountEvts = function(take) return true, #take.notes, 0, 0 end,
  MIDI_GetNote = function(take, index)
    local note = take.notes[index + 1]
    return true, false, note[1], note[2], note[3], 0, note[4], note[5]
  end,
  MIDI_GetProjQNFromPPQPos = function(take, ppq) return ppq / PPQ end,
  CountSelectedTracks = function() return 1 end,
  SelectAllMediaItems = function(project, on) selected = nil end,
  InsertMedia = function(path, mode)
    local rough = wav_seconds(path) * 1.01 -- as if an option of REAPER's had stretched it
    selected = { D_POSITION = position, D_LENGTH = rough, take = { D_PLAYRATE = 0.99 }, path = path, mode = mode }
    position = position + rough
    table.insert(items, selected)
  end,
  Undo_BeginBlock = function() say("undo", "begin") end,
  Undo_EndBlock = function(text) say("undo", text) end,
  UpdateArrange = function() end,
  Help_Set = function(text) say("help", text) end,
  ShowMessageBox = function(text) say("box", text) end,
  ExecProcess = function(command, wait)
    assert(wait == -2, "must not wait")
    os.execute(command .. " &")
    return ""
  end,
  defer = function(call) table.insert(deferred, call) end,
}

dofile(script)
local deadline = os.time() + 60
while #deferred > 0 and os.time() < deadline do
  table.remove(deferred, 1)()
  os.execute("sleep 0.1")
end
for i = 2, #items do
  local item = items[i]
  say("item", item.path, item.mode, string.format("%.9f", item.D_POSITION), string.format("%.9f", item.D_LENGTH),
    item.B_LOOPSRC, item.take.D_PLAYRATE, item.D_FADEINLEN, item.D_FADEOUTLEN)
end
say("cursor", string.format("%.6f", position))
