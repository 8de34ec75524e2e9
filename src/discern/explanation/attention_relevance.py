"""Evidence for a class on the patches of a vision transformer, followed back through the attention of its blocks."""

import math

import torch
from torch import Tensor

from discern.errors import ConfigError
from discern.models.classifier import Classifier


def compute_attention_relevance(classifier: Classifier, images: Tensor, targets: Tensor) -> Tensor:
    """Return the evidence (N, h, w) for the classes (N,): of each patch, what reaches the logit through attention.

    In each block a token takes from others what its attention says; of that, what raises the logit of the class counts,
    averaged over the heads, and the token keeps what it had before. From the last block on, a class token counts as a
    whole; patches that are pooled count by what they themselves add to the logit. Images are normalised; the classifier
    is in evaluation mode, and none of its parameters gets a gradient.

    Source: Chefer, Gur, Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
    Transformers", 2021, https://arxiv.org/abs/2103.15679, equations 5 and 6. There a class token gives the logits; for
    pooled patches, their activations times their gradients say which of them to follow.

    Raises:
        ConfigError: The backbone is no transformer whose tokens all attend to each other.
    """
    if not classifier.backbone.has_attention:
        raise ConfigError(
            f"{classifier.backbone.name} is no vision transformer, whose attention could be followed; the methods "
            "grad-cam and hires-cam explain convolutional networks, and integrated-gradients any"
        )
    # One by one, since the attention of all blocks takes much memory.
    maps = [_follow(classifier, image[None], target) for image, target in zip(images, targets, strict=True)]
    return torch.cat(maps) if maps else images.new_zeros(0, 1, 1)


def _follow(classifier: Classifier, image: Tensor, target: Tensor) -> Tensor:
    """Return the evidence (1, h, w) in one image (1, 3, H, W)."""
    with torch.enable_grad():
        # The image, so that there are gradients whatever of the network is frozen.
        attention = classifier.backbone.forward_attention(image.clone().requires_grad_())
        logit = classifier.forward_head(attention.features)[0, target]
        tokens_gradient, *gradients = torch.autograd.grad(logit, [attention.tokens, *attention.weights])
    count = attention.tokens.shape[1]
    relevance = torch.eye(count, device=image.device, dtype=image.dtype)
    for weights, gradient in zip(attention.weights, gradients, strict=True):
        relevance = relevance + (weights.detach() * gradient)[0].relu().mean(dim=0) @ relevance
    first = attention.num_prefix_tokens
    own = (attention.tokens.detach() * tokens_gradient)[0].sum(dim=1).relu()
    own[:first] = tokens_gradient[0, :first].norm(dim=1)
    side = math.isqrt(count - first)
    return (own @ relevance)[first:].reshape(1, side, side)
