"""The server of most tutorials: FastAPI, PIL, and the network once a request, in fp32."""

import argparse
import io
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI, File
from PIL import Image
from torchvision.transforms import v2

from discern.predictor.bundle import load_bundle

TRANSFORM = v2.Compose(
    [
        v2.Resize(224),
        v2.CenterCrop(224),
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)


def build_app(run: Path) -> FastAPI:
    """Build the application; the network is that of the run."""
    bundle = load_bundle(run)
    model = bundle.classifier.eval()
    app = FastAPI()

    @app.get("/ready")
    def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/predict")
    def predict(files: bytes = File()) -> dict[str, object]:
        image = Image.open(io.BytesIO(files)).convert("RGB")
        with torch.no_grad():
            probabilities = model(TRANSFORM(image)[None]).softmax(dim=1)[0]
        best = int(probabilities.argmax())
        return {"label": bundle.class_names[best], "confidence": float(probabilities[best])}

    return app


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(build_app(options.run), port=options.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
