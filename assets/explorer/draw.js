// Cells on the graphics card, by twgl.js: one canvas, a part of it for each section that is open.
"use strict";

const VERTEX = `#version 300 es
in vec2 position; in float code; in float niche;
uniform vec2 scale, offset; uniform float size, layer, some;
uniform highp sampler2D palette, lit;
out vec4 colour; flat out float shape;
void main() {
  float on = some > 0.5 ? texelFetch(lit, ivec2(int(niche), 0), 0).r : 1.0;
  bool here = layer > 0.5 ? on > 0.5 : on < 0.5;
  gl_Position = here ? vec4(position * scale + offset, 0, 1) : vec4(2, 2, 2, 1);
  gl_PointSize = layer > 0.5 ? size : max(1.0, size * 0.7);
  vec4 entry = texelFetch(palette, ivec2(int(code), 0), 0);
  colour = layer > 0.5 ? vec4(entry.rgb, 1.0) : vec4(0.83, 0.83, 0.83, 1.0);
  shape = layer > 0.5 ? floor(255.0 * entry.a + 0.5) : 0.0;
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec4 colour; flat in float shape; uniform float size; out vec4 shown;
// How far inside a circle, triangle, square or diamond, in sizes of the dot
float depth(vec2 p) {
  vec2 a = abs(p);
  if (shape < 0.5) return 0.5 - length(p);
  if (shape < 1.5) return min(0.5 - p.y, 0.447 * (p.y + 0.5) - 0.894 * a.x);
  if (shape < 2.5) return 0.44 - max(a.x, a.y);
  return 0.707 * (0.5 - a.x - a.y);
}
void main() {
  // an edge of one pixel that fades
  float inside = size > 3.0 ? clamp(depth(gl_PointCoord - 0.5) * size + 0.5, 0.0, 1.0) : 1.0;
  if (inside <= 0.0) discard;
  shown = vec4(colour.rgb, 1.0) * inside;
}`;
const IMAGE_VERTEX = `#version 300 es
in vec2 position; uniform vec2 scale, offset; out vec2 at;
void main() { at = position; gl_Position = vec4(position * scale + offset, 0, 1); }`;
const IMAGE_FRAGMENT = `#version 300 es
precision highp float;
in vec2 at; uniform sampler2D image; uniform float opacity; out vec4 shown;
void main() { shown = vec4(texture(image, at).rgb * opacity, opacity); }`;

// A step through n cells (of a curve through the section) that meets each once, and of which any part is spread evenly
function evenStep(n) {
  const divisor = (a, b) => (b ? divisor(b, a % b) : a);
  let step = Math.max(1, Math.round(n * 0.618034));
  while (divisor(n, step) > 1) step--;
  return step;
}

class Drawing {
  constructor(canvas) {
    this.canvas = canvas;
    // the drawing is kept until the next, so that a picture of it can be saved
    this.gl = canvas.getContext("webgl2", { antialias: false, alpha: true, premultipliedAlpha: true, preserveDrawingBuffer: true });
    if (!this.gl) throw new Error("This browser has no WebGL 2: the cells cannot be drawn.");
    if (typeof DecompressionStream === "undefined") throw new Error("This browser is of before 2023 and cannot unpack the cells.");
    const gl = this.gl;
    this.cells = twgl.createProgramInfo(gl, [VERTEX, FRAGMENT]);
    this.image = twgl.createProgramInfo(gl, [IMAGE_VERTEX, IMAGE_FRAGMENT]);
    this.square = twgl.createVertexArrayInfo(gl, this.image, twgl.createBufferInfoFromArrays(gl, { position: { numComponents: 2, data: [0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1] } }));
    const texture = { minMag: gl.NEAREST, wrap: gl.CLAMP_TO_EDGE, auto: false };
    this.palette = twgl.createTexture(gl, { ...texture, width: CODES, height: 1, src: new Uint8Array(4 * CODES) });
    this.lit = twgl.createTexture(gl, { ...texture, width: CODES, height: 1, src: new Uint8Array(4 * CODES) });
    this.texture = texture;
    this.most = gl.getParameter(gl.ALIASED_POINT_SIZE_RANGE)[1];
    this.loaded = new Map();
    this.least = 5000; // cells of a section that are drawn on any machine
  }

  setPalette(colours) {
    twgl.setTextureFromArray(this.gl, this.palette, colours, { ...this.texture, width: CODES, height: 1 });
  }

  // niches: Set of those that are lit; empty: all are
  setLit(niches) {
    const mask = new Uint8Array(4 * CODES);
    for (const n of niches) mask[n * 4] = 255;
    twgl.setTextureFromArray(this.gl, this.lit, mask, { ...this.texture, width: CODES, height: 1 });
    this.some = niches.size ? 1 : 0;
  }

  // Hold the cells of a section; another choice replaces one byte a cell. They are held in an order of which any first
  // part lies evenly over the section: while the view moves, a part is drawn
  hold(section, choice) {
    const held = this.loaded.get(section.sample), { x, y, niche } = section.columns, n = x.length;
    const spread = (data) => {
      const found = new data.constructor(n), step = evenStep(n);
      for (let i = 0, at = 0; i < n; i++, at = (at + step) % n) found[i] = data[at];
      return found;
    };
    if (!held) {
      const position = new Uint16Array(2 * n), u = spread(x), v = spread(y);
      for (let i = 0; i < n; i++) { position[2 * i] = u[i]; position[2 * i + 1] = v[i]; }
      const byte = (data) => ({ numComponents: 1, data: spread(data), normalize: false });
      const buffers = twgl.createBufferInfoFromArrays(this.gl, {
        position: { numComponents: 2, data: position, normalize: true }, code: byte(section.columns[choice.column]), niche: byte(niche),
      });
      this.loaded.set(section.sample, { buffers, array: twgl.createVertexArrayInfo(this.gl, this.cells, buffers), choice: choice.id });
    } else if (held.choice !== choice.id) {
      const data = section.columns[choice.column];
      const code = held.buffers.attribs.code, gl = this.gl;
      if ((data.BYTES_PER_ELEMENT === 2) !== (code.type === gl.UNSIGNED_SHORT)) { // more than 255 niches
        this.drop(section.sample);
        return this.hold(section, choice);
      }
      gl.bindVertexArray(null);
      gl.bindBuffer(gl.ARRAY_BUFFER, code.buffer);
      gl.bufferData(gl.ARRAY_BUFFER, spread(data), gl.STATIC_DRAW);
      held.choice = choice.id;
    }
  }

  drop(sample) {
    const held = this.loaded.get(sample);
    if (!held) return;
    this.gl.deleteVertexArray(held.array.vertexArrayObject);
    for (const { buffer } of Object.values(held.buffers.attribs)) this.gl.deleteBuffer(buffer);
    if (held.picture) this.gl.deleteTexture(held.picture);
    this.loaded.delete(sample);
  }

  // panels: [{section, view: {x, y, scale (pixels of a unit)}, box: {left, top, width, height} in CSS pixels}]
  // part: share of the cells of each section
  draw(panels, { size, opacity, part }) {
    this.shown = 0;
    const gl = this.gl, ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.canvas.clientWidth * ratio), height = Math.round(this.canvas.clientHeight * ratio);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(1, 1, 1, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.SCISSOR_TEST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    for (const { section, view, box } of panels) {
      const held = this.loaded.get(section.sample);
      if (!held) continue;
      const area = [box.left * ratio, height - (box.top + box.height) * ratio, box.width * ratio, box.height * ratio].map(Math.round);
      gl.viewport(...area);
      gl.scissor(...area);
      // a length of the section in clip space, and the place of its corner
      const kx = 2 * view.scale / box.width, ky = -2 * view.scale / box.height;
      const place = (x, y, w, h) => ({ scale: [w * kx, h * ky], offset: [(x - view.x) * kx, (y - view.y) * ky] });
      if (section.image && opacity > 0) {
        held.picture ||= twgl.createTexture(gl, { src: section.image, minMag: gl.LINEAR, wrap: gl.CLAMP_TO_EDGE, auto: false });
        const p = section.picture;
        gl.useProgram(this.image.program);
        twgl.setBuffersAndAttributes(gl, this.image, this.square);
        twgl.setUniforms(this.image, { ...place(p.x, p.y, p.width * p.units_per_px, p.height * p.units_per_px), image: held.picture, opacity });
        twgl.drawBufferInfo(gl, this.square);
      }
      const whole = 65535 * section.step, n = section.columns.x.length, drawn = Math.min(n, Math.max(this.least, Math.ceil(part * n)));
      this.shown += drawn;
      gl.useProgram(this.cells.program);
      twgl.setBuffersAndAttributes(gl, this.cells, held.array);
      twgl.setUniforms(this.cells, {
        ...place(section.corner[0], section.corner[1], whole, whole), palette: this.palette, lit: this.lit, some: this.some,
        size: Math.min(this.most, Math.max(1.4 * ratio, 0.9 * section.spacing * view.scale * size * ratio) * Math.sqrt(n / drawn)),
      });
      for (const layer of this.some ? [0, 1] : [1]) {
        twgl.setUniforms(this.cells, { layer });
        twgl.drawBufferInfo(gl, held.array, gl.POINTS, drawn);
      }
    }
  }
}
