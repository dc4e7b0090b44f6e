"""Words that MusicGen's training metadata has fields for: genres, instruments and moods.

One line an entry: what the field says, then, after a colon, other ways to write it. A genre that is felt at one tempo
however it is counted has that range of tempos in brackets. Words that mean something else as often ("vibes", "swing")
are left to the description.
"""

from __future__ import annotations

from functools import cache

_GENRES = """
    house [112-135]: housey
    deep house [112-130]: deephouse
    tech house [116-135]
    progressive house [116-132]
    acid house [116-132]
    bass house [116-132]
    afro house [112-128]
    lo-fi house [112-130]: lofi house
    techno [115-160]
    dub techno [110-135]
    minimal techno [115-135]
    acid techno [120-160]
    trance [124-150]: psytrance, psy trance
    drum and bass [155-185]: dnb, d n b, d&b, d & b, drum n bass, drum & bass, drum'n'bass
    liquid drum and bass [155-185]: liquid dnb, liquid d&b
    jungle [150-180]
    dubstep [130-150]
    brostep [130-150]
    breakbeat: breakbeats, breaks
    uk garage [120-140]: ukg, 2 step, two step
    garage
    grime [130-145]
    hardcore
    hardstyle [140-165]
    footwork [145-165]: juke
    idm
    electro
    electronic: electronica
    edm
    dance
    synthwave: retrowave, outrun
    vaporwave
    synth pop: synthpop
    ambient
    drone
    downtempo
    chillout: chill out
    trip hop [70-105]
    hip hop [68-115]: hiphop, rap
    boom bap [75-105]
    lo-fi hip hop [60-100]: lofi hip hop
    lo-fi [60-110]: lofi, lo fi
    trap [120-165]
    drill [130-150]
    phonk
    r&b: rnb, r n b, rhythm and blues
    soul: neo soul
    funk
    disco [100-135]
    nu disco [100-130]
    pop
    indie pop
    k-pop: kpop
    rock
    indie rock
    punk: punk rock
    post rock
    metal: heavy metal
    grunge
    shoegaze
    blues
    jazz
    smooth jazz
    acid jazz
    bebop
    bossa nova: bossanova
    samba
    salsa
    latin
    reggaeton [80-110]
    dembow [80-125]
    amapiano [105-120]
    afrobeat
    afrobeats
    reggae
    dancehall
    dub
    ska
    country
    folk
    bluegrass
    gospel
    classical
    orchestral
    cinematic
    soundtrack: film score
    baroque
    chiptune: 8 bit, 8bit
    world music
    flamenco
    tango
    new age
    experimental
    industrial
"""

_INSTRUMENTS = """
    drums: drum, drum kit, drum beat, drum loop, drum machine, live drums, acoustic drums, beats
    percussion: perc, hand percussion
    kick: kick drum, bass drum, kicks
    snare: snares, snare drum
    clap: claps, handclaps
    hi-hats: hi hat, hi hats, hihat, hihats, hats, hat
    cymbals: cymbal
    shaker: shakers
    tambourine
    congas: conga
    bongos: bongo
    cowbell
    808: 808s
    909
    log drum: log drums
    bass: bassline, bass line, baseline
    sub bass: sub, subbass
    synth bass: moog bass, reese, reese bass, wobble bass
    acid bass: 303, tb 303, acid line
    bass guitar: electric bass, slap bass
    upright bass: double bass, acoustic bass, contrabass
    synth: synths, synthesizer, synthesizers, synthesiser
    synth pad: pad, pads
    synth lead: lead synth
    supersaw: supersaws
    arpeggio: arp, arps, arpeggios, arpeggiator
    pluck: plucks
    stabs: stab, chord stabs
    piano: pianos, grand piano, felt piano, upright piano
    electric piano: e piano, wurlitzer
    rhodes: fender rhodes
    keys: keyboard, keyboards
    organ: hammond, hammond organ
    clavinet: clav
    harpsichord
    guitar: guitars
    electric guitar: electric guitars
    acoustic guitar: nylon guitar, classical guitar, spanish guitar
    distorted guitar: distorted guitars, overdriven guitar
    banjo
    ukulele
    mandolin
    sitar
    harp
    violin: violins, fiddle
    viola
    cello: cellos
    strings: string section, string ensemble
    orchestra
    brass: brass section, horns, horn section
    trumpet: trumpets
    trombone
    french horn
    saxophone: sax, saxophones
    flute: flutes, pan flute
    clarinet
    oboe
    accordion
    harmonica
    choir
    bells: bell
    glockenspiel
    music box
    vibraphone
    marimba
    xylophone
    kalimba
    steel drums: steel pan, steelpan
    timpani
    taiko
    tabla
"""

_MOODS = """
    aggressive: angry
    atmospheric
    bright
    bouncy
    calm: peaceful
    chill: chilled
    cheerful
    dark: darker, gloomy, sinister
    dramatic
    dreamy
    driving
    emotional
    energetic: energy, high energy
    epic
    ethereal
    euphoric
    fun: playful
    funky
    gentle
    gritty
    groovy
    happy: joyful
    hopeful
    hypnotic
    intense
    laid back
    lonely
    melancholic: melancholy
    mellow
    mysterious
    nostalgic
    ominous
    powerful
    relaxed: relaxing
    romantic
    sad
    sexy
    smooth
    soft
    suspenseful
    tense
    triumphant
    upbeat
    uplifting
    warm
"""

Entry = tuple[str, str]
"""A field's name and what it says."""


def words(text: str) -> tuple[str, ...]:
    """A text as words to look up: lower case, hyphens as spaces."""
    return tuple(text.lower().replace("-", " ").split())


@cache
def entries() -> dict[tuple[str, ...], Entry]:
    """The words of every spelling -> its field and what that says."""
    table: dict[tuple[str, ...], Entry] = {}
    for field, lines in (("moods", _MOODS), ("instrument", _INSTRUMENTS), ("genre", _GENRES)):
        for name, _, others in _lines(lines):
            table |= {words(spelling): (field, name) for spelling in (name, *others)}
    return table


@cache
def tempos() -> dict[str, tuple[int, int]]:
    """Genre -> the tempos in BPM that it is felt at, for those that have some."""
    return {name: tempo for name, tempo, _ in _lines(_GENRES) if tempo}


def _lines(text: str) -> list[tuple[str, tuple[int, int] | None, list[str]]]:
    out = []
    for line in text.strip().splitlines():
        head, _, others = line.partition(":")
        name, _, span = head.partition("[")
        low, _, high = span.strip(" ]").partition("-")
        tempo = (int(low), int(high)) if span else None
        out.append((name.strip(), tempo, [other.strip() for other in others.split(",") if other.strip()]))
    return out
