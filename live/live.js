// Reads the browser's camera, frame by frame, and draws what it reads. Nothing leaves the page.

import * as ort from "./ort.wasm.min.mjs";
import { Reader } from "./reader.js";

const MODEL = "fer7-small";
// Longer side, pixels, of the frames that are read: more is slower, less misses far faces. A machine
// that reads fewer frames a second than PACE gets the smaller ones.
const LONGEST = 480, SHORTEST = 320, PACE = 15;
// As in src/mien/figures.py.
const TONES = {
  angry: "#D55E00", contempt: "#332288", disgust: "#009E73", fear: "#CC79A7", happy: "#E69F00",
  neutral: "#606060", sad: "#0072B2", surprise: "#56B4E9",
};
const WHY = {
  NotAllowedError: "The browser may not use the camera: allow it in the address bar, then try again.",
  NotFoundError: "No camera is there: connect one, then try again.",
  NotReadableError: "Another program uses the camera: close that, then try again.",
};
const [said, begin, stage, video, boxes, bars] = [
  "said", "begin", "stage", "video", "boxes", "bars",
].map((id) => document.getElementById(id));
const frame = document.createElement("canvas");
const pen = frame.getContext("2d", { willReadFrequently: true });

// Relative to this page, wherever it stands.
ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
// Half of the cores, where threads are allowed: the camera and the drawing need some, too.
const cores = Math.floor(navigator.hardwareConcurrency / 2);
ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(4, Math.max(1, cores)) : 1;

begin.addEventListener("click", async () => {
  begin.disabled = true;
  said.textContent = "Loading the models …";
  try {
    const reader = await Reader.load(ort, MODEL);
    const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: wanted });
    await video.play();
    begin.hidden = true;
    stage.hidden = false;
    await watch(reader);
  } catch (error) {
    begin.disabled = false;
    said.textContent = WHY[error.name] ?? `It cannot begin: ${error.message}`;
  }
});

/** Reads frame after frame, until the camera ends. */
async function watch(reader) {
  const times = [];
  let side = LONGEST;
  while (video.srcObject.active) {
    const longest = Math.max(video.videoWidth, video.videoHeight);
    const share = Math.min(Math.max(longest, SHORTEST), side) / longest;
    const width = Math.round(share * video.videoWidth);
    const height = Math.round(share * video.videoHeight);
    if (frame.width !== width || frame.height !== height) Object.assign(frame, { width, height });
    pen.drawImage(video, 0, 0, width, height);
    const pixels = pen.getImageData(0, 0, width, height);
    const faces = await reader.read(pixels);
    draw(faces, reader.classes);
    times.push(performance.now());
    if (times.length > 31) times.shift();
    const pace = times[1] && (1000 * (times.length - 1)) / (times.at(-1) - times[0]);
    // For who wants to look closer: the last frame, as it was read, and what was read.
    globalThis.mien = { faces, classes: reader.classes, picture: () => encoded(pixels), pace };
    if (times.length > 15 && pace < PACE) side = SHORTEST;
    const rate = pace ? `, ${pace.toFixed(0)} frames a second` : "";
    const count = faces.length === 1 ? "1 face" : `${faces.length} faces`;
    said.textContent = `${count}${rate}. Nothing is sent or stored.`;
    // The browser draws, and the camera goes on.
    await new Promise(requestAnimationFrame);
  }
  said.textContent = "The camera has ended.";
}

/** Returns a frame as a PNG, which loses nothing. */
function encoded(pixels) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: pixels.width, height: pixels.height });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas.toDataURL();
}

/** Draws boxes and names over the picture, which is mirrored, and a list of bars below. */
function draw(faces, classes) {
  const share = globalThis.devicePixelRatio;
  const [width, height] = [boxes.clientWidth * share, boxes.clientHeight * share].map(Math.round);
  Object.assign(boxes, { width, height });
  const ink = boxes.getContext("2d");
  // The picture stands in the middle of its place, as large as that lets it.
  const scale = Math.min(width / frame.width, height / frame.height);
  const left = (width - scale * frame.width) / 2, top = (height - scale * frame.height) / 2;
  ink.lineWidth = 2 * share;
  ink.font = `${14 * share}px system-ui, sans-serif`;
  bars.replaceChildren(
    ...faces.map(({ box, probabilities }, number) => {
      const best = probabilities.indexOf(Math.max(...probabilities));
      const name = `${number + 1} ${classes[best]}`, tone = TONES[classes[best]] ?? "#FFFFFF";
      const x = left + scale * (frame.width - box[0] - box[2]), y = top + scale * box[1];
      ink.strokeStyle = tone;
      ink.strokeRect(x, y, scale * box[2], scale * box[3]);
      ink.fillStyle = "#141414";
      ink.fillRect(x, Math.max(0, y - 20 * share), ink.measureText(name).width + 10 * share, 20 * share);
      ink.fillStyle = "#FFFFFF";
      ink.fillText(name, x + 5 * share, Math.max(15 * share, y - 5 * share));
      return listed(name, probabilities, classes);
    }),
  );
}

function listed(name, probabilities, classes) {
  const face = document.createElement("div");
  face.className = "face";
  face.append(element("b", name));
  classes.forEach((label, place) => {
    const bar = document.createElement("i"), fill = document.createElement("u");
    fill.style.width = `${100 * probabilities[place]}%`;
    fill.style.background = TONES[label] ?? "#FFFFFF";
    bar.append(fill);
    face.append(element("span", label), bar);
    const share = element("span", `${Math.round(100 * probabilities[place])}%`);
    share.className = "share";
    face.append(share);
  });
  return face;
}

function element(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}
