import type { Disturbance } from '../guards.ts';
import type { SensorName } from '../signals.ts';

export const jaSensors: Readonly<Record<SensorName, string>> = {
  idle: '離席しているかどうか',
  locked: '画面ロックの状態',
  fullscreen: '全画面表示の状態',
  games: '実行中のプログラム',
  media: '再生中のメディア',
  cpu: 'CPUの負荷',
  gpus: 'GPUの負荷',
  power: '電源の状態',
  temperature: '温度',
  metered: 'ネットワークが従量制かどうか',
  disk: 'ディスクの空き容量',
};

export const jaDisturbances: Readonly<Record<Disturbance, string>> = {
  game: 'ゲームが終わりました。',
  fullscreen: '全画面表示が終わりました。',
  media: '再生が終わりました。',
  'cpu-busy': 'CPUの負荷が下がりました。',
  'gpu-busy': 'GPUの負荷が下がりました。',
  'gpu-memory': 'グラフィックスメモリが空きました。',
  'too-hot': '温度が下がりました。',
  'on-battery': '電源につながりました。',
  metered: '従量制ではないネットワークになりました。',
  'disk-low': 'ディスクの空きが十分になりました。',
  'sensor-unknown': 'センサーが読み取れるようになりました。',
};
