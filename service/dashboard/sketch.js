/** A sheet to draw a digit on with mouse, touch or pen. */

import { el } from "./dom.js";

const SIZE = 392; // 14 canvas pixels for each of the network's 28
const PEN_WIDTH = 26;
const PAPER = "#fff";
const INK = "#111";

export class Sketch {
  #context;
  #pointer = null;
  #last = null;
  #hasPicture = false;

  /** `onStroke` is called whenever the pen is lifted. */
  constructor({ onStroke }) {
    this.onStroke = onStroke;
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

  clear() {
    this.isEmpty = true;
    this.#hasPicture = false;
    this.#context.fillStyle = PAPER;
    this.#context.fillRect(0, 0, SIZE, SIZE);
  }

  /** What is drawn, as the bytes of a PNG. */
  toFile() {
    return new Promise((resolve) => this.element.toBlob(resolve, "image/png"));
  }

  /** Lay a picture file on the sheet, whole; does nothing if the browser cannot read it. */
  async lay(file) {
    this.clear();
    const picture = await createImageBitmap(file).catch(() => null);
    if (picture === null) return;
    const scale = Math.min(SIZE / picture.width, SIZE / picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    this.#context.drawImage(picture, (SIZE - width) / 2, (SIZE - height) / 2, width, height);
    picture.close();
    this.#hasPicture = true;
  }

  #begin(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    event.preventDefault();
    this.element.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    if (this.#hasPicture) this.clear();
    this.#last = this.#locate(event);
    this.isEmpty = false;
    this.#line(this.#last, this.#last);
  }

  #draw(event) {
    if (event.pointerId !== this.#pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length > 0 ? events : [event]) {
      const here = this.#locate(one);
      this.#line(this.#last, here);
      this.#last = here;
    }
  }

  #lift(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.onStroke();
  }

  #locate(event) {
    const box = this.element.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE];
  }

  #line(from, to) {
    const context = this.#context;
    context.strokeStyle = INK;
    context.lineWidth = PEN_WIDTH;
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  }
}
