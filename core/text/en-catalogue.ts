import type { CatalogueProblem } from '../doctor.ts';
import { unreachable } from '../errors.ts';
import type { CatalogueRefusal } from '../release.ts';
import { day } from './format.ts';

const FETCH = 'Connect to the network, or install the newest Idlemesh';

/** What is wrong with a list of work, and what to do so that another takes its place. */
function refusal(why: CatalogueRefusal): { readonly what: string; readonly todo: string } {
  switch (why.kind) {
    case 'no-keys':
      return {
        what: 'This build of Idlemesh carries no release keys, so it can trust no list of work',
        todo: 'Install a released version',
      };
    case 'missing':
      return { what: 'There is no list of work on this machine', todo: FETCH };
    case 'too-large':
      return { what: 'The list of work is larger than a genuine one can be', todo: FETCH };
    case 'malformed':
      return { what: `The list of work is damaged: ${why.detail}`, todo: FETCH };
    case 'signatures': {
      const strangers = why.unknown === 0 ? '' : `, and ${why.unknown} of keys that are unknown here`;
      return {
        what: `The list of work carries ${why.valid} of the ${why.needed} signatures that it needs${strangers}`,
        todo: FETCH,
      };
    }
    case 'newer-format':
      return { what: 'The list of work is made for a later Idlemesh', todo: 'Install the newest Idlemesh' };
    case 'older':
      return {
        what: `The list of work is version ${why.version}, older than version ${why.highest}, which was in force here`,
        todo: FETCH,
      };
    case 'rewritten':
      return { what: `The list of work is not the version ${why.version} that was in force here`, todo: FETCH };
    case 'clock':
      return {
        what: `The list of work was issued on ${day(why.issuedAt, 'en')}, and the clock of this machine shows an earlier day`,
        todo: 'Correct the clock',
      };
    case 'expired':
      return {
        what: `The list of work was valid until ${day(why.since, 'en')}`,
        todo: `${FETCH}; if the date here is wrong, correct the clock`,
      };
    default:
      return unreachable(why);
  }
}

export function enCatalogue(value: CatalogueProblem): { readonly title: string; readonly advice: string } {
  switch (value.kind) {
    case 'catalogue-untrusted': {
      const { what, todo } = refusal(value.why);
      return { title: 'No list of work can be trusted', advice: `${what}. ${todo}. Nothing runs until then.` };
    }
    case 'catalogue-refused':
      return {
        title: 'The network offers a list of work that is refused',
        advice: `${value.url}: ${refusal(value.why).what}. What was in force before stays so.`,
      };
    case 'catalogue-expiring':
      return {
        title: 'The list of work ends soon',
        advice: `It is valid until ${day(value.at, 'en')}, and nothing runs after that. ${FETCH}.`,
      };
    default:
      return unreachable(value);
  }
}
