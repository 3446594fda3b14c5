"""The 16 features of the LHC jet benchmark (OpenML 42468) from a jet's constituents.

``multiplicity`` and ``zlogz`` (sum of z log z) are of all constituents. The others are of those
that soft drop leaves (β = 0, z > 0.1: the modified mass-drop tagger, ``mmdt``) in the jet
reclustered with Cambridge/Aachen: its mass, and ratios of the energy correlation functions e_n with
z the share of the groomed constituents' scalar sum of pT (Moult, Necib and Thaler,
arXiv:1609.07483; the benchmark's selection is that of Coleman et al., arXiv:1709.08705)::

    C1(β) = e2(β)             C2(β) = e3(β) / e2(β)^2    D2(β) = D2(β, β)
    D2(α, β) = e3(α) / e2(β)^(3 α / β)
    M2(β) = 1e3(β) / e2(β)    N2(β) = 2e3(β) / e2(β)^2

1e3 has the smallest of three angles, 2e3 the product of the two smallest, e3 that of all three.
So d2_a1_b1 equals d2_b1. A ratio whose denominator is 0 is 0: of two constituents, or one. All
constituents are taken as massless, in the reclustering too.
"""

import numpy as np

from .data import FEATURES

Z_CUT = 0.1


def features(constituents: np.ndarray) -> np.ndarray:
    """The features, (16,) of ``float64`` in the order of ``FEATURES``, of one jet's constituents,
    (n, 3): pT > 0, eta, phi, from any origin. Rows of zeros are left out."""
    constituents = np.asarray(constituents, np.float64)
    constituents = constituents[constituents[:, 0] > 0]
    if not len(constituents):
        return np.zeros(len(FEATURES))
    z = constituents[:, 0] / constituents[:, 0].sum()
    kept = constituents[groomed(constituents)]
    values = correlations(kept) | {
        "zlogz": float((z * np.log(z)).sum()),
        "mass_mmdt": mass(kept),
        "multiplicity": len(constituents),
    }
    return np.array([values[name] for name in FEATURES])


def correlations(constituents: np.ndarray) -> dict[str, float]:
    """The 13 ratios of energy correlation functions, by name."""
    z = constituents[:, 0] / constituents[:, 0].sum()
    angle = _angles(constituents[:, 1], constituents[:, 2])
    pairs = np.triu(np.outer(z, z), 1)
    e2 = {beta: float((pairs * angle**beta).sum()) for beta in (0, 1, 2)}
    e3, smallest, two = _triples(z, angle, pairs)
    values = {f"c1_b{beta}_mmdt": e2[beta] for beta in (0, 1, 2)}
    for beta in (1, 2):
        values |= {
            f"c2_b{beta}_mmdt": _ratio(e3[beta], e2[beta] ** 2),
            f"d2_b{beta}_mmdt": _ratio(e3[beta], e2[beta] ** 3),
            f"d2_a1_b{beta}_mmdt": _ratio(e3[1], e2[beta] ** (3 / beta)),
            f"m2_b{beta}_mmdt": _ratio(smallest[beta], e2[beta]),
            f"n2_b{beta}_mmdt": _ratio(two[beta], e2[beta] ** 2),
        }
    return values


def _triples(z, angle, pairs) -> tuple[dict[int, float], ...]:
    """e3, 1e3 and 2e3 by β."""
    sums = [{1: 0.0, 2: 0.0} for _ in range(3)]
    for i in range(len(z) - 2):
        rest = slice(i + 1, None)
        one, other, third = angle[i, rest, None], angle[i, None, rest], angle[rest, rest]
        weight = z[i] * pairs[rest, rest]
        low, high = np.minimum(one, other), np.maximum(one, other)
        smallest = np.minimum(low, third)
        two = smallest * np.maximum(low, np.minimum(high, third))
        for total, angles in zip(sums, (one * other * third, smallest, two), strict=True):
            once = weight * angles
            total[1] += float(once.sum())
            total[2] += float((once * angles).sum())
    return tuple(sums)


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else 0.0


def _angles(eta: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """Distances in the plane of (pseudo)rapidity and azimuth, all with all."""
    return np.hypot(eta[:, None] - eta, _wrapped(phi[:, None] - phi))


def _wrapped(phi):
    return (phi + np.pi) % (2 * np.pi) - np.pi


def momenta(constituents: np.ndarray) -> np.ndarray:
    """(n, 4): px, py, pz, E of massless constituents."""
    pt, eta, phi = constituents.T
    parts = (np.cos(phi), np.sin(phi), np.sinh(eta), np.cosh(eta))
    return np.stack([pt * each for each in parts], axis=1)


def mass(constituents: np.ndarray) -> float:
    """Of their sum, in the unit of pT."""
    x, y, z, e = momenta(constituents).sum(axis=0)
    return float(np.sqrt(max(e * e - x * x - y * y - z * z, 0.0)))


def groomed(constituents: np.ndarray) -> np.ndarray:
    """Places of the constituents that soft drop with β = 0 leaves, ascending: from the last step of
    the reclustering back, the branch of smaller pT is dropped until it has more than ``Z_CUT`` of
    the two branches' sum."""
    pt, parents = _recluster(momenta(constituents))
    count = len(constituents)
    node = len(pt) - 1
    while node >= count:
        soft, hard = sorted(parents[node - count], key=lambda each: pt[each])
        if pt[soft] > Z_CUT * (pt[soft] + pt[hard]):
            break
        node = hard
    leaves, waiting = [], [node]
    while waiting:
        node = waiting.pop()
        if node < count:
            leaves.append(node)
        else:
            waiting.extend(parents[node - count])
    return np.array(sorted(leaves))


def _recluster(momentum: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Cambridge/Aachen without a radius: the nearest two become one, until there is one.

    pT of the constituents and then of each sum, and of each sum the two that it is of. Momenta are
    added (E scheme); distances are of rapidity and azimuth.
    """
    count = len(momentum)
    momentum = np.concatenate([momentum, np.zeros((count - 1, 4))])
    rapidity, phi = np.zeros((2, len(momentum)))
    distance = np.full((count, count), np.inf)
    nodes = np.arange(count)  # what stands in each row of the matrix
    rapidity[:count], phi[:count] = _place(momentum[:count])
    distance[:] = _angles(rapidity[:count], phi[:count])
    np.fill_diagonal(distance, np.inf)
    parents = []
    for new in range(count, len(momentum)):
        one, other = np.unravel_index(np.argmin(distance), distance.shape)
        parents.append((int(nodes[one]), int(nodes[other])))
        momentum[new] = momentum[nodes[one]] + momentum[nodes[other]]
        rapidity[new], phi[new] = _place(momentum[new])
        live = np.isfinite(distance[one])
        live[one] = live[other] = False
        of = nodes[live]
        distance[other] = distance[:, other] = np.inf
        distance[one, live] = distance[live, one] = np.hypot(
            rapidity[of] - rapidity[new], _wrapped(phi[of] - phi[new])
        )
        distance[one, other] = distance[other, one] = np.inf
        nodes[one] = new
    return np.hypot(momentum[:, 0], momentum[:, 1]), parents


def _place(momentum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rapidity and azimuth."""
    x, y, z, e = np.moveaxis(momentum, -1, 0)
    return np.arctanh(np.clip(z / e, -1 + 1e-15, 1 - 1e-15)), np.arctan2(y, x)
