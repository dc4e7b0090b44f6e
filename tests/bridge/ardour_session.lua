-- A real session of Ardour's, without window and sound, for the action script; run by ardour7-lua, which takes the values
-- between ALL CAPS words from the test. Only what belongs to Ardour's window is stood in for: its dialog and the selection.
function ardour () end
dofile ("SCRIPT")

AudioEngine:set_backend ("None (Dummy)", "", "")
assert (create_session ("FOLDER", "test", 48000))
local map = Temporal.TempoMap.fetch_writable ()
map:set_tempo (Temporal.Tempo (TEMPO, TEMPO, 4), Temporal.timepos_t (0))
map:set_meter (Temporal.Meter (NUMERATOR, DENOMINATOR), Temporal.timepos_t (0))
Temporal.TempoMap.update (map)

local function beats (quarters)
	local whole = math.floor (quarters)
	return Temporal.Beats (whole, math.floor ((quarters - whole) * Temporal.ticks_per_beat + 0.5))
end
local function at (quarters) return { beats = function () return beats (quarters) end } end
local function list (values)
	local i = 0
	return { iter = function () return function () i = i + 1 return values[i] end end }
end

local notes = {}
for i, note in ipairs ({ NOTES }) do
	notes[i] = ARDOUR.LuaAPI.new_noteptr (1, beats (note[1]), beats (note[2]), note[3], note[4])
end
ARDOUR.LuaAPI.note_list = function () return list (notes) end

local region = {
	isnil = function () return false end,
	start = function () return at (2) end, -- its first two quarters are trimmed away
	length = function () return at (LENGTH) end,
	midi_source = function () return { model = function () end } end,
}
local selected = { { to_midiregion = function () return #notes > 0 and region or { isnil = function () return true end } end } }
Editor = { get_selection = function () return { regions = { regionlist = function () return list (selected) end } } end }
LuaDialog = { Dialog = function (title, items)
	return { run = function () return { prompt = "dub techno", bars = 2.0, key = "Am" } end }
end }

factory ({}) ()
print ("SENT")
close_session ()
quit ()
