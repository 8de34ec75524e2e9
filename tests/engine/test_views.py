"""The views of test-time augmentation, and the mean over them."""

import pytest
import torch
from torch.nn import functional

from discern.engine.views import NUM_VIEWS, average_views, build_views


@pytest.fixture
def images():
    return torch.randint(256, (3, 3, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_the_mirror_image_is_a_view(images):
    picture, mirrored = build_views(images, "flip")
    assert torch.equal(picture, images)
    assert torch.equal(mirrored[..., 0], images[..., -1])
    assert torch.equal(mirrored.flip(-1), images)


def test_five_views_are_the_crops_at_the_centre_and_the_corners_of_a_picture_continued_mirrored(images):
    """A fourteenth of 28 pixels is 2."""
    padded = functional.pad(images.float(), (2, 2, 2, 2), mode="reflect")
    crops = [padded[..., down : down + 28, right : right + 28] for down in (4, 0) for right in (4, 0)]
    for view, crop in zip(build_views(images, "five"), [images.float(), *crops], strict=True):
        assert torch.equal(view.float(), crop)


@pytest.mark.parametrize(("tta", "count"), NUM_VIEWS.items())
def test_every_view_differs_and_has_the_form_of_the_picture(images, tta, count):
    views = build_views(images, tta)
    assert len({view.numpy().tobytes() for view in views}) == len(views) == count
    assert {(view.shape, view.dtype) for view in views} == {(images.shape, images.dtype)}
    assert len(build_views(torch.zeros(1, 3, 8, 8), tta)) == count


def test_logits_are_averaged_and_features_are_those_of_the_picture(images):
    def forward(batch):
        return batch.float().flatten(1)[:, ::100]

    single = [forward(view) for view in build_views(images, "five")]
    outputs = average_views(forward, images, "five", num_features=4)
    torch.testing.assert_close(outputs[:, 4:], torch.stack(single).mean(dim=0)[:, 4:])
    assert torch.equal(outputs[:, :4], single[0][:, :4])
    assert torch.equal(average_views(forward, images, "none", num_features=4), single[0])
