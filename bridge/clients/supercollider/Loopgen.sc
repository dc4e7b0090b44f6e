// A client of the loopgen server: sends tempo, words and notes over OSC, gets loops back.
// Replies arrive at the port that sclang sends from, so nothing has to be agreed on.
Loopgen {
	var <server, <name, <root, <lastJob, counter = 0, jobs, waiting, listeners, lease;

	// port: what `loopgen serve` says. onReady is given the welcome: [version, protocol, maxBytes, outputRoot, engine, state, licence].
	*new { |port = 11200, host = "127.0.0.1", name = "SuperCollider"|
		^super.new.prInit(NetAddr(host, port), name)
	}

	prInit { |address, client|
		server = address;
		name = client;
		jobs = IdentityDictionary.new; // job -> what was asked for
		waiting = IdentityDictionary.new; // req -> the same, until a job has it
		listeners = (
			accepted: { |req, job| waiting.removeAt(req) !? { |asked| jobs[job] = asked; lastJob = job } },
			progress: { |job, fraction, stage| jobs[job] !? { |asked| asked[\progress].(fraction, stage) } },
			done: { |...values| this.prDone(*values) },
			error: { |req, code, message, address| this.prFailed(req, code, message) },
			cancelled: { |job, req| jobs.removeAt(job) !? { |asked| asked[\failed].(\cancelled, "the job was cancelled") } }
		).collect { |does, kind|
			OSCFunc({ |message| does.(*message.drop(1)) }, "/loopgen/" ++ kind, server)
		};
	}

	hello { |onReady|
		OSCFunc({ |message|
			root = message[4].asString;
			onReady.(*message.drop(1))
		}, '/loopgen/welcome', server).oneShot;
		root = nil;
		server.sendMsg("/loopgen/hello", name, 1, 0);
		AppClock.sched(1.5, { root ?? { "loopgen: no answer from %. Is `loopgen serve` running?".format(server).warn }; nil });
		lease = lease ?? { SkipJack({ server.sendMsg("/loopgen/ping", name) }, 20, name: \loopgen) }
	}

	// A session value that every client sees: set(\tempo, 127.9). Numbers go as text: an OSC float would round them.
	set { |key, value| server.sendMsg("/loopgen/set/" ++ key, this.prReq, value.asString) }

	// Sends notes, [pitch, start, duration, velocity] each, in quarter notes; then generate with melody: id.
	melody { |notes, length, id = "melody"|
		server.sendMsg("/loopgen/melody/begin", id, notes.size, length.asFloat);
		notes.clump(32).do { |some, i|
			server.sendMsg("/loopgen/melody/notes", id, 32 * i, *some.collect { |note|
				[note[0].round.asInteger, note[1].asFloat, note[2].asFloat, note[3].round.asInteger]
			}.flatten)
		};
		server.sendMsg("/loopgen/melody/end", id, notes.size)
	}

	// Asks for a loop. fields: (prompt: "dub techno", tempo: 127.9, bars: 4, melody: \melody ...).
	// done: { |path, loop| }, loop with bpm, bars, beats, frames, rate, summary, variation, variations, tempo
	// progress: { |fraction, stage| }, failed: { |code, message| }
	generate { |fields, done, progress, failed|
		var req = this.prReq;
		waiting[req] = (
			req: req,
			done: done,
			progress: progress,
			failed: failed ?? { { |code, message| ("loopgen: % (%)".format(message, code)).warn } }
		);
		server.sendMsg("/loopgen/generate", req, *(fields ? ()).asPairs.collect { |value| value.asString });
		^req
	}

	cancel { |job| server.sendMsg("/loopgen/cancel", (job ? lastJob).asString) }

	free {
		lease !? { lease.stop };
		server.sendMsg("/loopgen/bye");
		listeners.do(_.free)
	}

	// A Pbind (or any pattern of note events) as notes and its length: melody(*Loopgen.notes(Pbind(...), 16)).
	// beats: where to end, for patterns that do not end by themselves.
	*notes { |pattern, beats = 16|
		var stream = pattern.asStream, now = 0, notes = List.new, event, length, velocity;
		while { (now < beats) and: { (event = stream.next(Event.default)).notNil } } {
			event.use {
				length = min(event.delta.value, beats - now);
				// what the pattern says; otherwise amp, whose default is 0.1
				velocity = if(event.keys.includes(\velocity)) { ~velocity.value } { ~amp.value * 1000 };
				if(event.isRest.not) {
					// one event may hold a chord
					~midinote.value.asArray.do { |pitch|
						notes.add([pitch, now, ~sustain.value, velocity.clip(1, 127)])
					}
				}
			};
			now = now + length
		};
		^[notes.asArray, now]
	}

	prReq {
		counter = counter + 1;
		// unlike any before, also of an earlier run: the server answers a known req with the job it had
		^"sc-%-%-%".format(NetAddr.langPort, Date.getDate.rawSeconds.asInteger, counter).asSymbol
	}

	prDone { |job, req, path, bpm, bars, beats, frames, rate, summary, variation, variations, tempo|
		var asked = jobs[job];
		server.sendMsg("/loopgen/ack", job, variation);
		asked !? {
			asked[\heard] = asked[\heard].add(variation); // sent again where the ack was lost
			if(asked[\heard].occurrencesOf(variation) == 1) {
				asked[\done].(path.asString, (bpm: bpm, bars: bars, beats: beats, frames: frames, rate: rate,
					summary: summary.asString, variation: variation, variations: variations, tempo: tempo.asString))
			}
		}
	}

	prFailed { |req, code, message|
		var asked = waiting.removeAt(req);
		asked = asked ?? { jobs.detect { |job| job[\req] == req } };
		if(asked.notNil) { asked[\failed].(code, message.asString) } { ("loopgen: % (%)".format(message, code)).warn }
	}
}
