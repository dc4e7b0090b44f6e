"""The kernels, in Triton. What each computes is said in tensors' names; how they follow each other, in ``step``.

Rows of the batch come in tiles of 16, the smallest that tensor cores multiply: a row's result is computed in the same
order, and so to the same bits, however many rows there are. Nothing is added up atomically.

A layer norm before a matrix needs no pass of its own, since with mean m and deviation s of a row x

    W (gain * (x - m) / s + bias) = (W (gain * x) - m W gain) / s + W bias,

where ``W gain`` and ``W bias`` are two numbers for each output that are known beforehand, and m and s are gathered
while the weights stream by.
"""

# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls
from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    import triton
    from triton import language as tl

    jit: Callable[..., Any] = triton.jit
except ImportError:  # importable without, as everything is; ``fused.missing`` says what to do

    def jit(kernel: Any) -> Any:
        """Leave the function as it is: nobody calls it."""
        return kernel


ROWS = 16
"""Rows of a tile."""


@jit
def embed(
    x, tokens, table, positions, time, position,
    takes, columns, CODEBOOKS: tl.constexpr, CARDS: tl.constexpr, WIDTH: tl.constexpr,
    BLOCK: tl.constexpr, GUIDED: tl.constexpr,
):  # fmt: skip
    """Sum of the codebooks' embeddings and the position's, to the rows of a take. Grid: takes, blocks of the width."""
    take = tl.program_id(0)
    feature = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    column = tl.load(time)
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for codebook in tl.static_range(CODEBOOKS):
        token = tl.load(tokens + (take * CODEBOOKS + codebook) * columns + column)
        total += tl.load(table + (codebook * (CARDS + 1) + token) * WIDTH + feature).to(tl.float32)
    place = tl.load(positions + tl.load(position) * WIDTH + feature)
    result = (total.to(place.dtype).to(tl.float32) + place.to(tl.float32)).to(place.dtype)
    tl.store(x + take * WIDTH + feature, result)
    if GUIDED:
        tl.store(x + (takes + take) * WIDTH + feature, result)


@jit
def norm_linear(
    y, x, weight, gain, gained, biased, keys, values, position, rows, capacity,
    INNER: tl.constexpr, OUTER: tl.constexpr, HEAD: tl.constexpr, KIND: tl.constexpr,
    BLOCK: tl.constexpr, STRETCH: tl.constexpr,
):  # fmt: skip
    """``y = weight @ norm(x)``. Grid: blocks of outputs, tiles of rows.

    ``x`` (rows, INNER), ``weight`` (OUTER, INNER), ``gained`` and ``biased`` (OUTER,) float32 as above. KIND "plain":
    ``y`` (rows, OUTER); "gelu": the same through the exact GELU; "qkv": OUTER is 3 INNER, ``y`` (rows, INNER) gets the
    query, and a layer's caches (rows, heads, capacity, HEAD) get key and value at slot ``position``.
    """
    output = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = tl.program_id(1) * 16 + tl.arange(0, 16)
    inner = tl.arange(0, STRETCH)
    real = row < rows
    ws = weight + output.to(tl.int64)[:, None] * INNER + inner[None, :]
    xs = x + row[:, None] * INNER + inner[None, :]
    total = tl.zeros((16, BLOCK), dtype=tl.float32)
    sums = tl.zeros((16, STRETCH), dtype=tl.float32)
    squares = tl.zeros((16, STRETCH), dtype=tl.float32)
    for start in range(0, INNER, STRETCH):
        w = tl.load(ws + start)
        part = tl.load(xs + start, mask=real[:, None], other=0.0)
        g = tl.load(gain + start + inner).to(tl.float32)
        wide = part.to(tl.float32)
        sums += wide
        squares += wide * wide
        total = tl.dot((wide * g[None, :]).to(w.dtype), tl.trans(w), total, input_precision="ieee")
    mean = tl.sum(sums, axis=1) / INNER
    variance = tl.maximum(tl.sum(squares, axis=1) / INNER - mean * mean, 0.0)
    scale = tl.rsqrt(variance + 1e-5)
    centred = total - mean[:, None] * tl.load(gained + output)[None, :]
    result = centred * scale[:, None] + tl.load(biased + output)[None, :]
    if KIND == "gelu":
        # of the rounded value, as where the two are separate
        result = result.to(y.dtype.element_ty).to(tl.float32)
        result = 0.5 * result * (1.0 + tl.erf(result * 0.7071067811865476))
    if KIND == "qkv":
        section = tl.program_id(0) * BLOCK // INNER
        feature = output - section * INNER
        slot = (row.to(tl.int64)[:, None] * (INNER // HEAD) + feature[None, :] // HEAD) * capacity + tl.load(position)
        cell = slot * HEAD + feature[None, :] % HEAD
        if section == 0:
            tl.store(y + row[:, None] * INNER + feature[None, :], result.to(y.dtype.element_ty), mask=real[:, None])
        elif section == 1:
            tl.store(keys + cell, result.to(y.dtype.element_ty), mask=real[:, None])
        else:
            tl.store(values + cell, result.to(y.dtype.element_ty), mask=real[:, None])
    else:
        place = y + row.to(tl.int64)[:, None] * OUTER + output[None, :]
        tl.store(place, result.to(y.dtype.element_ty), mask=real[:, None])


@jit
def attend(
    parts, peaks, query, keys, values, bias, position, capacity, reach,
    HEADS: tl.constexpr, HEAD: tl.constexpr, CHUNK: tl.constexpr, PARTS: tl.constexpr, CROSS: tl.constexpr,
    SCALE: tl.constexpr,
):  # fmt: skip
    """Attention of one position to a chunk of slots, not yet divided. Grid: rows * heads, PARTS.

    ``query`` (rows, HEADS * HEAD); ``keys``, ``values`` (rows, HEADS, capacity, HEAD); ``parts`` (rows, HEADS, PARTS,
    HEAD) and ``peaks`` (rows, HEADS, PARTS, 2), both float32, get the weighted sum, and the largest score and the sum
    of weights. Slots up to ``position`` count; with CROSS the first ``reach``, ``bias`` (rows, reach) added to scores.
    """
    pair = tl.program_id(0)
    part = tl.program_id(1)
    row = pair // HEADS
    slot = part * CHUNK + tl.arange(0, CHUNK)
    feature = tl.arange(0, HEAD)
    last = reach - 1
    if not CROSS:
        last = tl.load(position)
    seen = slot <= last
    cell = (pair.to(tl.int64) * capacity + slot[:, None]) * HEAD + feature[None, :]
    k = tl.load(keys + cell, mask=seen[:, None], other=0.0)
    v = tl.load(values + cell, mask=seen[:, None], other=0.0)
    q = tl.load(query + pair * HEAD + feature).to(tl.float32)
    scores = tl.sum(k.to(tl.float32) * q[None, :], axis=1) * SCALE
    if CROSS:
        scores += tl.load(bias + row * reach + slot, mask=seen, other=0.0).to(tl.float32)
    scores = tl.where(seen, scores, float("-inf"))
    peak = tl.max(scores, axis=0)
    # a chunk of which nothing is seen has weight zero, and no infinity minus infinity
    weights = tl.exp(scores - tl.where(peak == float("-inf"), 0.0, peak))
    place = pair * PARTS + part
    tl.store(parts + place * HEAD + feature, tl.sum(weights[:, None] * v.to(tl.float32), axis=0))
    tl.store(peaks + place * 2, peak)
    tl.store(peaks + place * 2 + 1, tl.sum(weights, axis=0))


@jit
def merge_linear(
    x, parts, peaks, weight, rows,
    HEADS: tl.constexpr, HEAD: tl.constexpr, PARTS: tl.constexpr, BLOCK: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """``x += weight @ attention``, the chunks of ``attend`` put together, GROUP heads at a time. Grid as above."""
    width: tl.constexpr = HEADS * HEAD
    stretch: tl.constexpr = GROUP * HEAD
    output = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = tl.program_id(1) * 16 + tl.arange(0, 16)
    real = row < rows
    ws = weight + output.to(tl.int64)[:, None] * width + tl.arange(0, stretch)[None, :]
    pair = row[:, None] * HEADS + tl.arange(0, GROUP)[None, :]
    seen = real[:, None] & (pair >= 0)
    feature = tl.arange(0, HEAD)[None, None, :]
    total = tl.zeros((16, BLOCK), dtype=tl.float32)
    for head in range(0, HEADS, GROUP):
        w = tl.load(ws + head * HEAD)
        place = (pair + head) * PARTS
        top = tl.load(peaks + place * 2, mask=seen, other=0.0)
        for part in tl.static_range(1, PARTS):
            top = tl.maximum(top, tl.load(peaks + (place + part) * 2, mask=seen, other=0.0))
        above = tl.zeros((16, GROUP, HEAD), dtype=tl.float32)
        below = tl.zeros((16, GROUP), dtype=tl.float32)
        for part in tl.static_range(PARTS):
            share = tl.exp(tl.load(peaks + (place + part) * 2, mask=seen, other=0.0) - top)
            below += share * tl.load(peaks + (place + part) * 2 + 1, mask=seen, other=1.0)
            cells = parts + (place + part)[:, :, None] * HEAD + feature
            above += share[:, :, None] * tl.load(cells, mask=seen[:, :, None], other=0.0)
        attention = tl.reshape(above / below[:, :, None], (16, stretch)).to(w.dtype)
        total = tl.dot(attention, tl.trans(w), total, input_precision="ieee")
    _add(x, total, row, output, real, width)


@jit
def linear(
    x, inputs, weight, rows,
    INNER: tl.constexpr, OUTER: tl.constexpr, BLOCK: tl.constexpr, STRETCH: tl.constexpr,
):  # fmt: skip
    """``x += weight @ inputs``: ``inputs`` (rows, INNER), ``x`` (rows, OUTER). Grid as ``norm_linear``'s."""
    output = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = tl.program_id(1) * 16 + tl.arange(0, 16)
    inner = tl.arange(0, STRETCH)
    real = row < rows
    ws = weight + output.to(tl.int64)[:, None] * INNER + inner[None, :]
    xs = inputs + row[:, None] * INNER + inner[None, :]
    total = tl.zeros((16, BLOCK), dtype=tl.float32)
    for start in range(0, INNER, STRETCH):
        w = tl.load(ws + start)
        part = tl.load(xs + start, mask=real[:, None], other=0.0)
        total = tl.dot(part, tl.trans(w), total, input_precision="ieee")
    _add(x, total, row, output, real, OUTER)


@jit
def _add(x, total, row, output, real, WIDTH: tl.constexpr):
    """Add to the residual stream, rounding as where product and sum are separate."""
    place = x + row[:, None] * WIDTH + output[None, :]
    old = tl.load(place, mask=real[:, None], other=0.0)
    new = old.to(tl.float32) + total.to(old.dtype).to(tl.float32)
    tl.store(place, new.to(old.dtype), mask=real[:, None])


@jit
def draw(
    tokens, logits, noise, time, guidance, temperature, top_k, top_p, takes, columns,
    CODEBOOKS: tl.constexpr, CARDS: tl.constexpr, BLOCK: tl.constexpr, GUIDED: tl.constexpr, NOISE_STEPS: tl.constexpr,
):  # fmt: skip
    """Guidance, temperature, top-k or top-p, noise, the largest: a token where one is yet to be drawn.

    Grid: takes * codebooks. The least score that counts is found by halving the range of floats bit by bit: it is the
    smallest one above which less than ``top_k`` tokens (or the probability ``top_p``) lie. See ``sampling.choose``.
    """
    pair = tl.program_id(0)
    card = tl.arange(0, BLOCK)
    known = card < CARDS
    column = tl.load(time)
    score = tl.load(logits + pair * CARDS + card, mask=known, other=float("-inf"))
    if GUIDED:
        untold = tl.load(logits + (takes * CODEBOOKS + pair) * CARDS + card, mask=known, other=0.0)
        score = untold + (score - untold) * tl.load(guidance)
    score = tl.where(known, score / tl.load(temperature), float("-inf"))

    nucleus = tl.load(top_p)
    chance = tl.exp(score - tl.max(score, axis=0))
    share = chance / tl.sum(chance, axis=0)
    weight = tl.where(nucleus > 0, share, 1.0)
    limit = tl.where(nucleus > 0, nucleus, tl.load(top_k).to(tl.float32))
    bits = score.to(tl.int32, bitcast=True)
    order = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # integers in the order of the floats
    low = tl.min(order, axis=0).to(tl.int64)
    high = tl.max(order, axis=0).to(tl.int64)
    for _ in range(32):
        middle = (low + high) >> 1
        above = tl.sum(tl.where(order.to(tl.int64) > middle, weight, 0.0), axis=0)
        enough = above < limit
        high = tl.where(enough, middle, high)
        low = tl.where(enough, low, middle + 1)
    chosen = known & (order.to(tl.int64) >= high)
    steps = (column % NOISE_STEPS) * takes * CODEBOOKS
    score += tl.load(noise + (steps + pair) * CARDS + card, mask=known, other=0.0)
    drawn = tl.argmax(tl.where(chosen, score, float("-inf")), axis=0)
    place = tokens + pair * columns + column + 1
    if tl.load(place) < 0:
        tl.store(place, drawn.to(tl.int64))


@jit
def advance(time, position):
    """One step on. Grid: 1, after all that read them."""
    tl.store(time, tl.load(time) + 1)
    tl.store(position, tl.load(position) + 1)
