ardour {
	["type"] = "EditorAction",
	name = "loopgen",
	license = "MIT",
	author = "loopgen",
	description = [[Asks a loopgen server on this computer for a loop at the session's tempo and meter. It follows the selected MIDI region, if there is one, and appears in the server's output folder.]]
}

function factory (params) return function ()

	local PORT = 11200
	local NOTES_A_MESSAGE = 32

	-- Quarters of a Temporal.Beats, which shows itself as "quarters:ticks".
	local function quarters (beats)
		local whole, ticks = tostring (beats):match ("(-?%d+):(-?%d+)")
		return tonumber (whole) + tonumber (ticks) / Temporal.ticks_per_beat
	end

	-- The notes of the selected MIDI region as { pitch, start, duration, velocity } in quarters, and its length.
	local function melody ()
		for region in Editor:get_selection ().regions:regionlist ():iter () do
			local midi = region:to_midiregion ()
			if not midi:isnil () then
				local first, length = quarters (midi:start ():beats ()), quarters (midi:length ():beats ())
				local notes = {}
				for note in ARDOUR.LuaAPI.note_list (midi:midi_source (0):model ()):iter () do
					local from = math.max (quarters (note:time ()) - first, 0)
					local to = math.min (quarters (note:time ()) - first + quarters (note:length ()), length)
					if to > from then
						notes[#notes + 1] = { note:note (), from, to - from, note:velocity () }
					end
				end
				return notes, length
			end
		end
		return {}, 0
	end

	local answers = LuaDialog.Dialog ("loopgen", {
		{ type = "entry", key = "prompt", title = "Prompt", default = "dub techno, rainy" },
		{ type = "number", key = "bars", title = "Bars", min = 1, max = 256, step = 1, digits = 0, default = 4 },
		{ type = "entry", key = "key", title = "Key (empty: any)", default = "" },
	}):run ()
	if not answers then return end

	local position = Temporal.timepos_t (Session:transport_sample ())
	local map = Temporal.TempoMap.read ()
	local meter = map:meter_at (position)
	-- Ardour keeps tempos as fractions of a clock; a text of three places is what was typed, and is taken exactly.
	local tempo = string.format ("%.3f", map:quarters_per_minute_at (position))
	map = nil

	local server = ARDOUR.LuaOSC.Address ("osc.udp://127.0.0.1:" .. PORT)
	server:send ("/loopgen/hello", "sii", "Ardour", 1, 0)

	local req = string.format ("ardour-%d-%d", os.time (), math.random (1000000))
	local types, values = "s", { req }
	local function give (key, kind, value)
		types = types .. "s" .. kind
		values[#values + 1] = key
		values[#values + 1] = value
	end
	give ("tempo", "s", tempo)
	give ("num", "i", math.floor (meter:divisions_per_bar ()))
	give ("den", "i", math.floor (meter:note_value ()))
	give ("bars", "i", math.floor (answers["bars"]))
	give ("prompt", "s", answers["prompt"])
	if answers["key"] ~= "" then give ("key", "s", answers["key"]) end

	local notes, length = melody ()
	if #notes > 0 then
		server:send ("/loopgen/melody/begin", "sif", req, #notes, length)
		for offset = 0, #notes - 1, NOTES_A_MESSAGE do
			local tags, flat = "si", { req, offset }
			for i = offset + 1, math.min (offset + NOTES_A_MESSAGE, #notes) do
				tags = tags .. "iffi"
				for _, value in ipairs (notes[i]) do flat[#flat + 1] = value end
			end
			server:send ("/loopgen/melody/notes", tags, table.unpack (flat))
		end
		server:send ("/loopgen/melody/end", "si", req, #notes)
		give ("melody", "s", req)
	end
	server:send ("/loopgen/generate", types, table.unpack (values))
end end
