# loopgen in Sonic Pi: start the server (loopgen serve), paste this into a buffer, press Run.
# Sonic Pi sends OSC on time and hears it as cues at its port 4560; loopgen is told to answer there.

define :loopgen_send do |address, *arguments|
  osc_send "127.0.0.1", 11200, "/loopgen/" + address, *arguments
  sleep rt(0.02) # what Sonic Pi sends at the same time may arrive in any order
end

# Notes to follow, [pitch, start, duration, velocity] each, in beats; `beats` is how long they last together.
define :loopgen_melody do |notes, beats|
  loopgen_send "hello", "Sonic Pi", 1, 4560
  loopgen_send "melody/begin", "melody", notes.length, beats.to_f
  notes.each_slice(32).with_index do |some, i|
    flat = some.map { |pitch, start, length, velocity| [note(pitch).to_i, start.to_f, length.to_f, velocity.to_i] }
    loopgen_send "melody/notes", "melody", 32 * i, *flat.flatten
  end
  loopgen_send "melody/end", "melody", notes.length
end

# Asks for a loop and waits for it: gives its path, or nil when it could not be made. The tempo is Sonic Pi's, exactly.
define :loopgen do |fields|
  loopgen_send "hello", "Sonic Pi", 1, 4560
  req = "sonic-pi-#{Time.now.to_f}" # a name that was never used: a known one is answered with the job it had
  fields = {tempo: current_bpm}.merge(fields)
  loopgen_send "generate", req, *fields.flat_map { |key, value| [key.to_s, value.to_s] }
  path = nil
  loop do
    answer = sync "/osc*/loopgen/{done,error}"
    if answer.length > 4 and answer[1] == req # done: job, req, path, bpm, bars, beats, frames, rate, summary, ...
      loopgen_send "ack", answer[0]
      puts answer[8]
      path = answer[2]
      break
    elsif answer.length == 4 and answer[0] == req # error: req, code, message, address
      puts answer[2]
      break
    end
  end
  path
end

live_loop :loopgen_progress do
  _, fraction, stage = sync "/osc*/loopgen/progress"
  puts "#{(100 * fraction).round}% #{stage}"
end

# ---- from here on it is yours ----

use_bpm 127.9

in_thread do
  loopgen_melody [[:a4, 0, 2, 100], [:c5, 2, 2, 100], [:e5, 4, 3, 110], [:d5, 7, 1, 90], [:a4, 8, 8, 100]], 16
  path = loopgen prompt: "dub techno, rolling bass, rainy", bars: 4, key: "Am", melody: "melody"
  set :loop_path, path
end

live_loop :loop_player do
  path = get(:loop_path)
  sample path if path
  sleep path ? 16 : 1 # 4 bars of 4 beats
end
