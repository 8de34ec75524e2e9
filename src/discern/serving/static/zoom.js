// A closer look at a picture in its frame: by the wheel, by two fingers, by dragging, and by `toggle`.

const MAX_SCALE = 8;
const STEP = 2.5;

export class Zoom {
  constructor(frame, picture, zoomed) {
    this.frame = frame;
    this.picture = picture;
    this.zoomed = zoomed;
    this.touches = new Map();
    this.reset();
    frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 300), this.locate(event));
    });
    frame.addEventListener("dblclick", (event) => this.toggle(this.locate(event)));
    frame.addEventListener("pointerdown", (event) => this.begin(event));
    frame.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, ({ pointerId }) => this.touches.delete(pointerId));
  }

  reset() {
    Object.assign(this, { scale: 1, x: 0, y: 0 });
    this.touches.clear();
    this.apply();
  }

  toggle(point = [this.frame.clientWidth / 2, this.frame.clientHeight / 2]) {
    if (this.scale > 1) this.reset();
    else this.zoom(STEP, point);
  }

  // What lies under the point stays there.
  zoom(factor, [x, y]) {
    const scale = Math.max(1, Math.min(MAX_SCALE, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    if (scale > 1 && this.scale === 1) this.zoomed();
    this.scale = scale;
    this.apply();
  }

  begin(event) {
    this.frame.setPointerCapture(event.pointerId);
    this.touches.set(event.pointerId, this.locate(event));
    if (this.scale > 1) event.preventDefault();
  }

  move(event) {
    const before = this.touches.get(event.pointerId);
    if (!before) return;
    const now = this.locate(event);
    const other = [...this.touches].find(([id]) => id !== event.pointerId)?.[1];
    this.touches.set(event.pointerId, now);
    if (other) {
      this.zoom(measure(now, other) / Math.max(1, measure(before, other)), other);
    } else {
      this.x += now[0] - before[0];
      this.y += now[1] - before[1];
      this.apply();
    }
  }

  locate({ clientX, clientY }) {
    const { left, top } = this.frame.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  // The picture never leaves its frame.
  apply() {
    const { clientWidth: width, clientHeight: height } = this.frame;
    this.x = Math.min(0, Math.max(width * (1 - this.scale), this.x));
    this.y = Math.min(0, Math.max(height * (1 - this.scale), this.y));
    this.picture.style.transform = this.scale > 1 ? `translate(${this.x}px, ${this.y}px) scale(${this.scale})` : "";
    this.frame.classList.toggle("zoomed", this.scale > 1);
  }
}

const measure = ([x, y], [otherX, otherY]) => Math.hypot(x - otherX, y - otherY);
