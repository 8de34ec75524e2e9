"""discern export: export a trained classifier as one file for other runtimes."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import RunOrBundle, Verbose, Views
from discern.errors import ConfigError


def export(
    run: RunOrBundle,
    export_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="onnx or torch; html: one page that classifies in any browser, offline; state-dict (.safetensors) or "
            "pth: weights by the names of torchvision or timm. "
            "[default: onnx]",
        ),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp32, fp16 or int8 (not all in every format). [default: fp32]")
    ] = None,
    tta: Views = None,
    out: Annotated[Path | None, typer.Option(help="File to write; in RUN/export by default.")] = None,
    max_drop: Annotated[
        float, typer.Option(min=0, max=1, help="Largest accepted loss of accuracy on the validation pictures.")
    ] = 0.01,
    data: Annotated[
        Path | None, typer.Option(help="Labelled pictures for the check, instead of those of the run.")
    ] = None,
    runtime: Annotated[
        Path | None,
        typer.Option(
            help="For html: onnxruntime-web as npm gives it, a .tgz file or a folder. Without it, it is fetched once."
        ),
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(help="Export nothing; check this exported file again and renew its certificate."),
    ] = None,
    public: Annotated[
        Path | None,
        typer.Option(
            help="Write the bundle itself to this folder, to give away: without paths, pictures and features of the "
            "training pictures."
        ),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Export a trained classifier with its preprocessing, after a check that both give the same answers."""
    chosen = (export_format, precision, tta, out, runtime)
    if verify is not None and any(option is not None for option in chosen):
        raise ConfigError(
            "--verify FILE takes format, precision and views from the file; leave out --format, --precision, --tta, "
            "--out and --runtime"
        )
    if public is not None and any(option is not None for option in (*chosen, data, verify)):
        raise ConfigError("--public DIR writes the bundle as it is; leave out the other options")
    from discern.console import show_details
    from discern.workflows.export import export as export_run
    from discern.workflows.export import export_public, verify_export

    show_details(verbose)
    if public is not None:
        typer.echo(f"written: {export_public(run, public)}")
        return
    if verify is not None:
        verify_export(run, verify, max_drop=max_drop, data=data)
        typer.echo(f"verified: {verify}")
        return
    path = export_run(
        run,
        export_format=export_format or "onnx",
        precision=precision or "fp32",
        tta=tta,
        out=out,
        max_drop=max_drop,
        data=data,
        runtime=runtime,
    )
    typer.echo(f"written: {path}")
