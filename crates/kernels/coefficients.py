"""Derives the polynomial coefficients of src/scalar.rs. Needs mpmath; prints Rust constants.

Each fit is a weighted minimax polynomial (Remez exchange on a dense grid), and each coefficient is
rounded to float32 in turn, the remaining ones being fitted again around the rounded ones.
"""

import struct

from mpmath import cos, erfc, exp, log, lu_solve, matrix, mp, mpf, pi, sqrt, tanh

mp.dps = 40


def float32(x):
    return mpf(struct.unpack("f", struct.pack("f", float(x)))[0])


def shortest(x):
    """The shortest decimal that reads back as the float32 x."""
    return next(text for text in (f"{float(x):.{digits}g}" for digits in range(1, 10)) if float32(text) == x)


def remez(target, weight, powers, low, high, points=600):
    """Coefficients c of sum(c_i x^powers_i) that minimize max(weight * |sum - target|), and that maximum."""
    grid = [(low + high) / 2 - (high - low) / 2 * cos(pi * i / points) for i in range(points + 1)]
    grid = [x for x in grid if weight(x) > 0]
    table = [([x**p for p in powers], target(x), weight(x)) for x in grid]
    count = len(powers)
    chosen = [round(i * (len(grid) - 1) / count) for i in range(count + 1)]
    for _ in range(40):
        system, right = matrix(count + 1), matrix(count + 1, 1)
        for row, index in enumerate(chosen):
            basis, value, w = table[index]
            for column in range(count):
                system[row, column] = basis[column]
            system[row, count] = (-1) ** row / w
            right[row] = value
        solution = lu_solve(system, right)
        errors = [w * (sum(c * b for c, b in zip(solution[:count], basis)) - value) for basis, value, w in table]
        runs = []  # the largest error of each run of one sign
        for index, error in enumerate(errors):
            if runs and (errors[runs[-1]] > 0) == (error > 0):
                if abs(error) > abs(errors[runs[-1]]):
                    runs[-1] = index
            else:
                runs.append(index)
        while len(runs) > count + 1:
            runs.pop(0 if abs(errors[runs[0]]) < abs(errors[runs[-1]]) else -1)
        if len(runs) < count + 1 or runs == chosen:
            break
        chosen = runs
    return list(solution[:count]), max(abs(e) for e in errors)


def fit(name, target, weight, powers, low, high, fixed=()):
    fixed, free = dict(fixed), list(powers)
    low, high = mpf(low), mpf(high)
    while free:
        rest = lambda x: target(x) - sum(c * x**p for p, c in fixed.items())
        coefficients, error = remez(rest, weight, free, low, high)
        fixed[free.pop(0)] = float32(coefficients[0])
    grid = (low + (high - low) * i / 3000 for i in range(3001))
    final = max(weight(x) * abs(rest(x)) for x in grid if weight(x) > 0)
    print(f"// {name}: powers {sorted(fixed)} on [{float(low):.6g}, {float(high):.6g}], weighted error {float(final):.3g}")
    print(f"[{', '.join(shortest(fixed[p]) for p in sorted(fixed))}]")


half_ln2 = log(2) / 2
fit("EXP, relative", exp, lambda x: exp(-x), range(2, 7), -half_ln2, half_ln2, {0: mpf(1), 1: mpf(1)})
fit("EXP2, relative", lambda x: mpf(2) ** x, lambda x: mpf(2) ** -x, range(1, 7), -0.5, 0.5, {0: mpf(1)})

half_erfc = lambda a: erfc(a / sqrt(2)) / 2
fit("HALF_ERFC, -log2(erfc(a / sqrt 2) / 2), error of gelu", lambda a: -log(half_erfc(a), 2),
    lambda a: max(half_erfc(a), mpf("1e-4")) * log(2), range(1, 10), 0, 6, {0: mpf(1)})

over_cube = lambda x: (tanh(x) - x) / x**3
fit("TANH, (tanh x - x) / x^3, relative to tanh", over_cube, lambda x: x**3 / tanh(x) if x else mpf(0),
    range(0, 9, 2), 0, 0.625)
