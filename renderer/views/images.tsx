import type { ImageView } from '../../core/images.ts';
import { useFrame } from '../frame.ts';
import { useSetting } from '../hooks.ts';
import { Dial } from '../parts/controls.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { Progress } from '../parts/progress.tsx';

const BUDGET = { min: 1024, max: 102_400, step: 1024 } as const;

function Image({ image }: { readonly image: ImageView }) {
  const { text, format, language } = useFrame();
  const words = text.window.images;
  const { state, bytes, doneBytes, obstacle } = image;
  const name = image.title[language];
  return (
    <li className="image-row" data-state={state}>
      <p className="image-name">
        {name} <span className="work-version">{image.version}</span>
      </p>
      <p className="meaning">
        {words.states[state]} · {words.bytes(bytes, state)}
        {state === 'present' && !image.ours ? ` · ${words.yours}` : null}
      </p>
      {state === 'fetching' && bytes !== null ? (
        <Progress label={words.progress(name)} part={bytes > 0 ? doneBytes / bytes : 0} />
      ) : null}
      {obstacle === null ? null : <p className="meaning">{words.obstacle(obstacle, format.time)}</p>}
    </li>
  );
}

/** Which programs work needs, how far they have come, and how much disk they may take. */
export function Images() {
  const { snapshot, text, format } = useFrame();
  const words = text.window.images;
  const { images, settings } = snapshot;
  const { imagesMiB: given } = settings.limits;
  const budget = useSetting(given, (imagesMiB) => ({ limits: { imagesMiB } }));
  const here = images.filter(({ ours, state }) => ours && state === 'present');
  const used = here.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
  const known = here.every(({ bytes }) => bytes !== null);
  return (
    <section className="panel dials" aria-labelledby="images">
      <h2 id="images">{words.title}</h2>
      <p className="meaning">{words.meaning}</p>
      <Dial
        label={words.budget}
        meaning={known && here.length > 0 ? `${words.used(used)}. ${words.budgetMeaning}` : words.budgetMeaning}
        said={format.memory(budget.value)}
        value={budget.value}
        min={Math.min(BUDGET.min, given)}
        max={Math.max(BUDGET.max, given)}
        step={BUDGET.step}
        onChange={budget.change}
      />
      <FailureNotice title={text.window.limits.failed} failure={budget.failure} onDismiss={budget.dismiss} />
      {images.length === 0 ? <p className="meaning">{words.none}</p> : null}
      <ul className="image-list">
        {images.map((image) => (
          <Image key={`${image.workload} ${image.image}`} image={image} />
        ))}
      </ul>
    </section>
  );
}
