/** Drawing sheet for mouse, touch or pen. */

import { el } from "../common/dom.js";

const SIZE = 392; // 14 canvas pixels for each of the network's 28
const PEN_WIDTH = 34;
const PAPER = "#fff";
const INK = "#111";

export class Sketch {
  #context;
  #pointer = null;
  #strokes = [];
  #picture = null;

  /** `onInk` is called while drawing, `onLift` when the pen leaves the sheet. */
  constructor({ onInk, onLift }) {
    this.onInk = onInk;
    this.onLift = onLift;
    this.element = el("canvas", {
      class: "sketch",
      width: SIZE,
      height: SIZE,
      role: "img",
      "aria-label": "Drawing area for a digit. Without a pointer, choose or paste a picture instead.",
    });
    this.#context = this.element.getContext("2d");
    this.clear();
    this.element.addEventListener("pointerdown", (event) => this.#begin(event));
    this.element.addEventListener("pointermove", (event) => this.#draw(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.element.addEventListener(end, (event) => this.#lift(event));
    }
  }

  get isEmpty() {
    return this.#strokes.length === 0;
  }

  clear() {
    this.#strokes = [];
    this.#picture?.close();
    this.#picture = null;
    this.#repaint();
  }

  /** Undo the last stroke. */
  undo() {
    this.#strokes.pop();
    this.#repaint();
  }

  /** The drawing, as the bytes of a PNG. */
  toFile() {
    return new Promise((resolve) => this.element.toBlob(resolve, "image/png"));
  }

  /** Show a picture file on the sheet; the next stroke removes it. Returns null if it cannot be read. */
  async lay(file) {
    this.clear();
    this.#picture = await createImageBitmap(file).catch(() => null);
    this.#repaint();
  }

  #begin(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    event.preventDefault();
    this.element.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    if (this.#picture !== null) this.clear();
    const stroke = [this.#locate(event)];
    this.#strokes.push(stroke);
    this.#paint(stroke, 0);
    this.onInk();
  }

  #draw(event) {
    if (event.pointerId !== this.#pointer) return;
    const stroke = this.#strokes.at(-1);
    const from = stroke.length;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length > 0 ? events : [event]) stroke.push(this.#locate(one));
    this.#paint(stroke, from);
    this.onInk();
  }

  #lift(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.onLift();
  }

  #locate(event) {
    const box = this.element.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE];
  }

  #repaint() {
    const context = this.#context;
    context.fillStyle = PAPER;
    context.fillRect(0, 0, SIZE, SIZE);
    if (this.#picture !== null) {
      const { width, height } = this.#picture;
      const scale = Math.min(SIZE / width, SIZE / height);
      const [across, down] = [width * scale, height * scale];
      context.drawImage(this.#picture, (SIZE - across) / 2, (SIZE - down) / 2, across, down);
    }
    for (const stroke of this.#strokes) this.#paint(stroke, 0);
  }

  /** Draw a stroke from point `from` on, as curves between the midpoints of its steps. */
  #paint(stroke, from) {
    const context = this.#context;
    context.strokeStyle = INK;
    context.lineWidth = PEN_WIDTH;
    context.lineCap = context.lineJoin = "round";
    const first = Math.max(from - 1, 0);
    context.beginPath();
    context.moveTo(...middle(stroke[Math.max(first - 1, 0)], stroke[first]));
    for (let index = first; index < stroke.length - 1; index += 1) {
      context.quadraticCurveTo(...stroke[index], ...middle(stroke[index], stroke[index + 1]));
    }
    // A line of no length leaves no ink.
    const [x, y] = stroke.at(-1);
    context.lineTo(x, stroke.length === 1 ? y + 0.01 : y);
    context.stroke();
  }
}

function middle([x, y], [otherX, otherY]) {
  return [(x + otherX) / 2, (y + otherY) / 2];
}
