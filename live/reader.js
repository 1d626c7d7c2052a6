// Finds faces in a picture and reads their expressions, with the same arithmetic as the package:
// crops/detection.py, crops/alignment.py and inference/classify.py. tests/live holds them together.

// As in crops/detection.py, and OpenCV's FaceDetectorYN inside it.
const SIDES = [320, 640, 1280, 2560];
const SCORE = 0.8, OVERLAP = 0.3, LEAST = 64, GRID = 8, STRIDES = [8, 16, 32];
// As in crops/alignment.py.
const SIDE = 1.31, MIDDLE = 0.56;

/** A picture: `data`, Uint8, `channels` values a pixel (blue, green, red; or grey), row by row. */
export class Picture {
  constructor(width, height, channels, data = new Uint8ClampedArray(width * height * channels)) {
    Object.assign(this, { width, height, channels, data });
  }

  /** Returns the picture of a canvas' red, green, blue and opacity. */
  static ofCanvas({ width, height, data }) {
    const picture = new Picture(width, height, 3);
    for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
      picture.data[to] = data[from + 2];
      picture.data[to + 1] = data[from + 1];
      picture.data[to + 2] = data[from];
    }
    return picture;
  }

  /** Returns its grey levels, weighted as OpenCV does, in whole numbers. */
  grey() {
    const grey = new Picture(this.width, this.height, 1);
    const { data } = this;
    for (let to = 0, from = 0; to < grey.data.length; to += 1, from += 3) {
      const sum = data[from] * 3735 + data[from + 1] * 19235 + data[from + 2] * 9798;
      grey.data[to] = (sum + (1 << 14)) >> 15;
    }
    return grey;
  }
}

/** Rounds as Python and OpenCV do: halves go to the even number. */
function rounded(value) {
  const low = Math.floor(value);
  const rest = value - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

/** Returns, for each place along a shorter side, the places it covers and their shares. */
function areas(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, place) => {
    const begin = place * scale, end = Math.min(begin + scale, from);
    const parts = [];
    for (let at = Math.floor(begin); at < end - 1e-3; at += 1) {
      parts.push([at, (Math.min(at + 1, end) - Math.max(at, begin)) / (end - begin)]);
    }
    return parts;
  });
}

/** Returns a smaller copy whose pixels are the means of areas, as OpenCV's INTER_AREA. */
export function shrunk(picture, width, height) {
  const { channels } = picture;
  const columns = areas(picture.width, width), rows = areas(picture.height, height);
  // The mean of two by two pixels is rounded up at the half there, and to even elsewhere.
  const twice = picture.width === 2 * width && picture.height === 2 * height;
  const copy = new Picture(width, height, channels);
  const line = new Float64Array(width * channels);
  // Flat, for it runs for every frame: from which value to which, and with which share.
  const places = columns.flatMap((of, x) => of.map(([column, part]) => [column, x, part]));
  const from = Int32Array.from(places, ([column]) => column * channels);
  const to = Int32Array.from(places, ([, x]) => x * channels);
  const part = Float64Array.from(places, ([, , share]) => share);
  const { data } = picture;
  rows.forEach((parts, y) => {
    line.fill(0);
    for (const [row, share] of parts) {
      const start = row * picture.width * channels;
      for (let place = 0; place < part.length; place += 1) {
        const weight = share * part[place], at = start + from[place], into = to[place];
        for (let one = 0; one < channels; one += 1) line[into + one] += weight * data[at + one];
      }
    }
    for (let at = 0; at < line.length; at += 1) {
      copy.data[y * line.length + at] = twice ? Math.floor(line[at] + 0.5) : rounded(line[at]);
    }
  });
  return copy;
}

/** Returns the part that two boxes share of what they cover together (IoU). */
function shared([x, y, width, height], [left, top, across, down]) {
  const wide = Math.max(0, Math.min(x + width, left + across) - Math.max(x, left));
  const high = Math.max(0, Math.min(y + height, top + down) - Math.max(y, top));
  return (wide * high) / (width * height + across * down - wide * high);
}

/** Returns the surest faces, of those that overlap the surest one. */
function unique(faces, boxOf) {
  const kept = [];
  for (const face of [...faces].sort((one, other) => other.score - one.score)) {
    if (!kept.some((one) => shared(boxOf(one), boxOf(face)) > OVERLAP)) kept.push(face);
  }
  return kept;
}

/** Returns YuNet's faces in one copy of the photo: box, five landmarks and score. */
async function found(ort, net, picture) {
  const height = 32 * Math.ceil(Math.max(picture.height, LEAST) / 32);
  const width = 32 * Math.ceil(Math.max(picture.width, LEAST) / 32);
  const planes = new Float32Array(3 * height * width);
  for (let y = 0; y < picture.height; y += 1) {
    for (let x = 0, from = 3 * y * picture.width; x < picture.width; x += 1, from += 3) {
      for (let plane = 0; plane < 3; plane += 1) {
        planes[(plane * height + y) * width + x] = picture.data[from + plane];
      }
    }
  }
  const input = new ort.Tensor("float32", planes, [1, 3, height, width]);
  const out = await net.run({ input });
  const faces = [];
  for (const stride of STRIDES) {
    const [classes, objects, boxes, points] = ["cls", "obj", "bbox", "kps"].map(
      (kind) => out[`${kind}_${stride}`].data,
    );
    const columns = width / stride;
    classes.forEach((value, place) => {
      const clamped = [value, objects[place]].map((one) => Math.min(Math.max(one, 0), 1));
      const score = Math.fround(Math.sqrt(Math.fround(clamped[0] * clamped[1])));
      if (score < Math.fround(SCORE)) return;
      const column = place % columns, row = Math.floor(place / columns);
      const [right, down, wide, high] = boxes.subarray(4 * place, 4 * place + 4);
      const across = Math.exp(wide) * stride, tall = Math.exp(high) * stride;
      const box = [
        (column + right) * stride - across / 2, (row + down) * stride - tall / 2, across, tall,
      ];
      const landmarks = Array.from({ length: 5 }, (_, point) => [
        (points[10 * place + 2 * point] + column) * stride,
        (points[10 * place + 2 * point + 1] + row) * stride,
      ]);
      faces.push({ box, landmarks, score });
    });
  }
  return unique(faces, (face) => face.box.map(Math.trunc));
}

/** Returns the faces in a photo from left to right: box in whole pixels inside it, landmarks. */
export async function detected(ort, net, photo) {
  const longest = Math.max(photo.width, photo.height);
  const sides = new Set([320]);
  if (longest > 320) SIDES.forEach((side) => sides.add(Math.min(side, longest)));
  const all = [];
  let copy = photo;
  for (const side of [...sides].sort((one, other) => other - one)) {
    if (side > longest) throw new Error("expected a picture with a side of at least 320 pixels");
    const [width, height] = [photo.width, photo.height].map((length) =>
      Math.max(1, rounded((length * side) / longest)),
    );
    if (width !== copy.width || height !== copy.height) copy = shrunk(copy, width, height);
    const across = photo.width / width, down = photo.height / height;
    for (const { box, landmarks, score } of await found(ort, net, copy)) {
      all.push({
        box: box.map((length, place) => length * (place % 2 ? down : across)),
        landmarks: landmarks.map(([x, y]) => [x * across, y * down]),
        score,
      });
    }
  }
  const faces = [];
  for (const { box, landmarks } of unique(all, (face) => face.box)) {
    const [x, y, width, height] = box;
    const left = Math.max(0, rounded(x)), top = Math.max(0, rounded(y));
    const right = Math.min(photo.width, rounded(x + width));
    const bottom = Math.min(photo.height, rounded(y + height));
    if (right > left && bottom > top) {
      const grid = landmarks.map((point) => point.map((length) => rounded(GRID * length) / GRID));
      faces.push({ box: [left, top, right - left, bottom - top], landmarks: grid });
    }
  }
  const order = (one, other) => one.box.map((length, at) => length - other.box[at]).find(Boolean);
  return faces.sort((one, other) => order(one, other) ?? 0);
}

/** Weights of cubic interpolation at each 32nd of a pixel, in single precision. */
const CUBIC = Array.from({ length: 32 }, (_, place) => {
  const x = place / 32, slope = -0.75;
  const weights = [
    ((slope * (x + 1) - 5 * slope) * (x + 1) + 8 * slope) * (x + 1) - 4 * slope,
    ((slope + 2) * x - (slope + 3)) * x * x + 1,
    ((slope + 2) * (1 - x) - (slope + 3)) * (1 - x) * (1 - x) + 1,
  ].map(Math.fround);
  return [...weights, Math.fround(1 - weights[0] - weights[1] - weights[2])];
});

/** For each 32nd down and across the weights of 4 by 4 pixels, in 32,768ths, as OpenCV has them. */
const WEIGHTS = CUBIC.map((high) =>
  CUBIC.map((wide) => {
    const weights = high.flatMap((one) =>
      wide.map((other) => rounded(Math.fround(one * other) * 32768)),
    );
    // What is missing to the whole goes to the largest, what is too much comes from the least.
    const rest = weights.reduce((sum, one) => sum + one, -32768);
    let least = 10, most = 10;
    for (const place of [10, 11, 14, 15]) {
      if (weights[place] < weights[least]) least = place;
      else if (weights[place] > weights[most]) most = place;
    }
    weights[rest < 0 ? most : least] -= rest;
    return Int32Array.from(weights);
  }),
);

/** Returns the face in a grey photo as a square of `size` pixels a side, eyes level. */
export function cropped(grey, { box, landmarks }, size) {
  const middle = (one, other) => [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
  const [rightEye, leftEye, , rightCorner, leftCorner] = landmarks;
  const eyes = middle(rightEye, leftEye), mouth = middle(rightCorner, leftCorner);
  const across = [leftEye[0] - rightEye[0], leftEye[1] - rightEye[1]];
  const down = [mouth[0] - eyes[0], mouth[1] - eyes[1]];
  const angle = Math.atan2(across[1] - down[0], across[0] + down[1]);
  const side = SIDE * box[2], below = (0.5 - MIDDLE) * side;
  const half = middle(eyes, mouth);
  const centre = [half[0] - below * Math.sin(angle), half[1] + below * Math.cos(angle)];
  const fine = size * Math.max(1, Math.ceil(side / size)), scale = side / fine;
  const cos = scale * Math.cos(angle), sin = scale * Math.sin(angle), offset = (1 - fine) / 2;
  const start = [
    centre[0] + (cos - sin) * offset - 0.5, centre[1] + (sin + cos) * offset - 0.5,
  ];
  const square = new Picture(fine, fine, 1);
  const at = (x, y) =>
    grey.data[
      Math.min(Math.max(y, 0), grey.height - 1) * grey.width +
        Math.min(Math.max(x, 0), grey.width - 1)
    ];
  for (let y = 0; y < fine; y += 1) {
    // Places in 1,024ths, then in 32nds of a pixel, rounded where OpenCV rounds them.
    const beginX = rounded((-sin * y + start[0]) * 1024) + 16;
    const beginY = rounded((cos * y + start[1]) * 1024) + 16;
    for (let x = 0; x < fine; x += 1) {
      const placeX = (beginX + rounded(cos * x * 1024)) >> 5;
      const placeY = (beginY + rounded(sin * x * 1024)) >> 5;
      const weights = WEIGHTS[placeY & 31][placeX & 31];
      const left = (placeX >> 5) - 1, top = (placeY >> 5) - 1;
      let sum = 1 << 14;
      for (let one = 0; one < 16; one += 1) {
        sum += weights[one] * at(left + (one & 3), top + (one >> 2));
      }
      square.data[y * fine + x] = Math.min(Math.max(sum >> 15, 0), 255);
    }
  }
  return fine === size ? square : shrunk(square, size, size);
}

/** Reads faces: YuNet finds them, a net of the package names their expressions. */
export class Reader {
  /** Takes both nets, loaded, and the card of the second. */
  constructor(ort, detector, net, card) {
    Object.assign(this, { ort, detector, net, classes: card.classes, size: card.image_size });
  }

  /** Loads the files beside this one. */
  static async load(ort, name) {
    const options = { executionProviders: ["wasm"], logSeverityLevel: 3 };
    const [detector, net, card] = await Promise.all([
      ort.InferenceSession.create("yunet.onnx", options),
      ort.InferenceSession.create(`${name}.onnx`, options),
      fetch(`${name}.json`).then((answer) => answer.json()),
    ]);
    return new Reader(ort, detector, net, card);
  }

  /** Returns the faces in a canvas' pixels: `box` and the `probabilities` of the classes. */
  async read(pixels) {
    const photo = Picture.ofCanvas(pixels);
    const faces = await detected(this.ort, this.detector, photo);
    if (!faces.length) return [];
    const grey = photo.grey(), { size } = this;
    const image = new Uint8Array(faces.length * size * size);
    faces.forEach((face, place) => {
      image.set(cropped(grey, face, size).data, place * size * size);
    });
    const input = new this.ort.Tensor("uint8", image, [faces.length, size, size]);
    const { probabilities } = await this.net.run({ image: input }, ["probabilities"]);
    const count = this.classes.length;
    return faces.map(({ box }, place) => ({
      box,
      probabilities: [...probabilities.data.slice(place * count, (place + 1) * count)],
    }));
  }
}
