"""Nearest class mean against scikit-learn's, and what must not change it."""

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler

from benchmark_adapters.metrics.nearest_class_mean import NearestClassMean, nearest_class_mean


def clusters(count, spread, seed, classes=4, dims=6):
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(0, 1, (classes, dims))
    labels = np.arange(count) % classes
    return centres[labels] + draw.normal(0, spread, (count, dims)), labels


def measured(spread=1.2, change=lambda features: features):
    train, labels = clusters(400, spread, 0)
    test, answers = clusters(200, spread, 1)
    return nearest_class_mean(change(train), labels, change(test), answers, (2,))


def test_it_is_the_nearest_centroid_of_scikit_learn():
    train, labels = clusters(400, 1.2, 0)
    test, answers = clusters(200, 1.2, 1)
    scaler = StandardScaler().fit(train)
    nearest = NearestCentroid().fit(scaler.transform(train), labels)
    right = nearest.predict(scaler.transform(test)) == answers
    expected = NearestClassMean(right[answers == 2].mean(), right[answers != 2].mean())
    assert measured() == expected and 0.3 < expected.forget_accuracy < 1


def test_separate_clusters_are_told_apart_and_noise_is_not():
    assert measured(spread=0.01) == NearestClassMean(1, 1)
    found = measured(spread=1000)
    assert (found.forget_accuracy + 3 * found.retain_accuracy) / 4 == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x * np.array([1000, 1, 1e-3, 1, -1, 7]) - 7,
        lambda x: x[:, ::-1],
        lambda x: np.hstack([x, np.ones((len(x), 1))]),
    ],
)
def test_scale_shift_order_and_constant_features_change_nothing(change):
    assert measured(change=change) == measured()


def test_a_class_counts_once_however_many_images_it_has():
    train, labels = clusters(400, 1.2, 0)
    test, answers = clusters(200, 1.2, 1)
    more = np.concatenate([np.arange(400), *[np.flatnonzero(labels == 2)] * 5])
    scaled = StandardScaler().fit(train[more])
    expected = NearestCentroid().fit(scaled.transform(train), labels)
    right = expected.predict(scaled.transform(test)) == answers
    found = nearest_class_mean(train[more], labels[more], test, answers, (2,))
    assert found.forget_accuracy == right[answers == 2].mean()


@pytest.mark.parametrize(("classes", "labels"), [((), [0, 1]), ((5,), [0, 1]), ((0,), [0, 0])])
def test_missing_classes_are_refused(classes, labels):
    rows = [[0.0], [1.0]]
    with pytest.raises(ValueError, match="nearest class mean: expected training images of the"):
        nearest_class_mean(rows, labels, rows, labels, classes)
