// Draws a clip: waveform, spectrogram, the spotter's posteriors, and a time axis under them.

const root = document.documentElement;
const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

/** A canvas as many pixels wide as the screen has, cleared, measured in CSS pixels. */
function surface(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  return { pen, width, height };
}

export function clear(canvases) {
  canvases.forEach((canvas) => surface(canvas));
}

export function waveform(canvas, samples) {
  const { pen, width, height } = surface(canvas);
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  const gain = (height / 2 - 4) / Math.max(peak, 0.02);
  const middle = height / 2;
  pen.fillStyle = colour("--wave");
  const step = 1 / (devicePixelRatio || 1);
  for (let x = 0; x < width; x += step) {
    const first = Math.floor((x / width) * samples.length);
    const last = Math.max(first + 1, Math.floor(((x + step) / width) * samples.length));
    let low = 0;
    let high = 0;
    for (let i = first; i < last; i++) {
      if (samples[i] < low) low = samples[i];
      if (samples[i] > high) high = samples[i];
    }
    pen.fillRect(x, middle - high * gain, step, Math.max(step, (high - low) * gain));
  }
}

function rgb(text) {
  const value = parseInt(text.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** 256 colours from cold to hot. */
function palette() {
  const stops = ["--cold", "--cool", "--warm", "--hot"].map((name) => rgb(colour(name)));
  return Array.from({ length: 256 }, (_, level) => {
    const place = (level / 255) * (stops.length - 1);
    const index = Math.min(stops.length - 2, Math.floor(place));
    const share = place - index;
    return stops[index].map((from, i) => from + share * (stops[index + 1][i] - from));
  });
}

export function spectrogram(canvas, cells, { frames, bands, hop_s: hop }, seconds) {
  const { pen, width, height } = surface(canvas);
  if (frames === 0) return;
  const colours = palette();
  const image = new OffscreenCanvas(frames, bands);
  const inner = image.getContext("2d");
  const pixels = inner.createImageData(frames, bands);
  for (let frame = 0; frame < frames; frame++) {
    for (let band = 0; band < bands; band++) {
      const [r, g, b] = colours[cells[frame * bands + band]];
      const at = 4 * ((bands - 1 - band) * frames + frame);
      pixels.data.set([r, g, b, 255], at);
    }
  }
  inner.putImageData(pixels, 0, 0);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, width * Math.min(1, ((frames + 1) * hop) / seconds), height);
}

export function posteriors(canvas, trace, seconds) {
  const { pen, width, height } = surface(canvas);
  if (!trace) return;
  const y = (value) => height - 4 - value * (height - 8);
  const x = (time) => (time / seconds) * width;
  pen.strokeStyle = colour("--edge");
  pen.setLineDash([4, 4]);
  pen.beginPath();
  pen.moveTo(0, y(trace.threshold));
  pen.lineTo(width, y(trace.threshold));
  pen.stroke();
  pen.setLineDash([]);
  pen.beginPath();
  trace.posteriors.forEach((value, step) => {
    pen.lineTo(x(trace.first_s + step * trace.step_s), y(value));
  });
  pen.strokeStyle = colour("--accent");
  pen.lineWidth = 2;
  pen.lineJoin = "round";
  pen.stroke();
}

export function axis(canvas, seconds) {
  const { pen, width } = surface(canvas);
  pen.fillStyle = colour("--soft");
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const step = [0.5, 1, 2, 5, 10].find((step) => (step / seconds) * width >= 55) ?? 20;
  for (let time = 0; time <= seconds + 1e-6; time += step) {
    const x = (time / seconds) * width;
    pen.fillRect(Math.min(x, width - 1), 2, 1, 4);
    pen.textAlign = time === 0 ? "left" : x > width - 14 ? "right" : "center";
    pen.fillText(time === 0 ? "0 s" : String(time), x, 18);
  }
}
