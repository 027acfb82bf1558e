// Plays one clip from memory, and overwrites it when it is done with.

const RATE = 16000;
const HEADER = 44;

/** The samples of a 16-bit WAV file, -1 to 1; the file is overwritten. */
export function samplesOf(file) {
  const view = new DataView(file.buffer, HEADER);
  const samples = new Float32Array(view.byteLength >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(2 * i, true) / 32768;
  file.fill(0);
  return samples;
}

export class Player {
  /** `onChange` is called whenever position or state change. */
  constructor(onChange) {
    this.onChange = onChange;
    this.context = null;
    this.samples = null;
    this.buffer = null;
    this.source = null;
    this.at = 0;
    this.started = 0;
    this.heard = false;
  }

  load(samples) {
    this.unload();
    this.samples = samples;
  }

  /** Stops, and overwrites the samples. */
  unload() {
    this.pause();
    this.samples?.fill(0);
    this.buffer?.getChannelData(0).fill(0);
    this.samples = this.buffer = null;
    this.at = 0;
    this.heard = false;
  }

  get length() {
    return this.samples ? this.samples.length / RATE : 0;
  }

  get playing() {
    return this.source !== null;
  }

  get position() {
    const run = this.playing ? this.context.currentTime - this.started : 0;
    return Math.min(this.length, this.at + Math.max(0, run));
  }

  async toggle() {
    if (this.playing) this.pause();
    else await this.play();
  }

  async play() {
    if (!this.samples || this.playing) return;
    // Made by a key or a click: a browser lets no page sound before.
    this.context ??= new AudioContext();
    const samples = this.samples;
    await this.context.resume();
    if (this.samples !== samples || this.playing) return;
    if (!this.buffer) {
      this.buffer = this.context.createBuffer(1, samples.length, RATE);
      this.buffer.copyToChannel(samples, 0);
    }
    if (this.at >= this.length - 0.01) this.at = 0;
    const source = this.context.createBufferSource();
    source.buffer = this.buffer;
    source.connect(this.context.destination);
    source.onended = () => {
      if (this.source !== source) return;
      this.source = null;
      this.at = this.length;
      this.onChange();
    };
    source.start(0, this.at);
    this.started = this.context.currentTime;
    this.source = source;
    this.heard = true;
    this.follow();
  }

  pause() {
    if (!this.playing) return;
    this.at = this.position;
    const source = this.source;
    this.source = null;
    source.stop();
    source.disconnect();
    this.onChange();
  }

  async seek(seconds) {
    const resume = this.playing;
    this.pause();
    this.at = Math.min(this.length, Math.max(0, seconds));
    this.onChange();
    if (resume) await this.play();
  }

  follow() {
    this.onChange();
    if (this.playing) requestAnimationFrame(() => this.follow());
  }
}
