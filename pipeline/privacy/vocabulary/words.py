"""Plain words, so that a capital letter alone makes nobody a person or a town.

Both lists were counted, not copied: the words that stand in lower case in an English dictionary
or in public medical text and that faker's or geonames' lists also hold as a name, and the most
frequent words of patients and doctors. Words of fewer than three letters never count as a name.
"""

from __future__ import annotations

from medllm.pipeline.privacy.vocabulary import word_set

NAME_WORDS = word_set("""
abate abbey abed acacias acre agar agate age airport alabaster alas albino ale ales alfa aline
alliance ally aloha along alpine alta altos amber amble amigo amine amir amirs among ampere
anaconda anchorage anew angel angers angora ani annex ant ante antelope anthem antic ants apex
arbutus archer archway arenas ares aria arias arroyo arts ascension ascot asks asp aspen astrakhan
atlas auburn auger august aura auras autumn awash azalea baa babel back backer bad bade badger bag
bah bail bake baker balds bale ball balsas ban banes bani bank banks banning baptist bar barber
bare barer barker barking barman baron barrio barrios basic basil bass bassi basso bates bath
battle battlefield baud bay beacon bean bear beard beat beau beck bed beer begin begun bell belle
bend bender bent bents berg bergs berry beryl best beta bigot bilge bill billings bills bimbo
binder birch bird bishop bite bitten black blanch blank blessing block blot boas bobby bodkin boga
bogey bogus bole boles bologna bond boner bones bonito bonnet bonnie bonny boo boom boon booth bore
borne bot botany bouillon boulder bountiful bourgeois bow bowers bowler bowman bozo bra brad branch
brand brands brandy bras bravo bray brewer briar brick bridge bridges brier brigantine bright brink
brogan brooks brown browning bruin brunet brush brusque buck buckeye bud buffalo bull bullock
burger burns burr burrows bursa bury bus bush butcher butler butte butterfly buy cabanas cairn
cairns calliope camp camps can canal canals canning cannon canny cant canton canyon car cardigan
cares caribou carmine carpenter carpi carrier carrion carry carton carver case cases cashmere
casino cassia cassino cat cathedral cayenne celebration centennial center central centurion chad
chamber chamberlain chambers champagne chandler chaparral char charity chase cheddar cherry chi
chinchilla chino christen church cis citadel citrus clarion clay clear clement close clover
cloverleaf cocci cock cocoa cognac coin colas colic colleen college collie collier colon columbine
comas combs come comer comfort comment commerce commonwealth company con concord confederation
constant contractor converse convey cook cools cooper cop coral cord cork cornet corning corona
corral cote cotter cottonwood countryside courtier cousin cousins cove cox crane craven craw creed
crook cross cruise crystal cumming curry curt curtain cypress dado daisy dale dam damps darling
dash date dauphin davenport dawn day deacon deal dean debar decamps deep defiance deforest delta
den dent derby destiny dev diamond dick dickey dickie die dieter dig din ding dire dis diss divan
diver divine doctor dodo doe doffing dole dolly dome domino don doppler dos dour downing downs
downtown doyen drake drama drew dries drop drub drum dub duff duke dung dunning dura dyer each
eagle earl early ebony echelon economy eddy edit eider elder else emerald emeralds emir emo emporia
enterprise erode ester eta eureka eve ever evergreen fair faith falcon fall fan fancy fang fanning
fanny fares farina farmer fate federal fee felicity feline felling fem ferry fiche fiddlesticks
field fielding fields fife finch fink fisher fishers fit flagstaff fleck fleet flint flood floor
flora florin flowers flushing font foot ford fords forest forget forum foster fountain fox franc
frank franks freehold freely freeman french fresh freshwater friendly frisk front frost fry fuller
gal gala gall gamble gander gang gap garland garner garnet garret garrison gas gates gateway gay
gee gene genesis gent gentry gibbon gibbons gill girts glass glasses glazier glen globe goblet god
goes golden goldenrod gondola gong good gore gorp got grab grace grand grange grant grants
grapevine gravel graves gray grays green greet grey griffin grill grimes grit gross grove groves
grunt guard gully gun gunner gunning gunny gust gut guy gypsum hacker hale halfway hall halls ham
hamlet hammer handler hardy hare haring harm harmony harrow harsh hart harvest hassocks hasty hat
hawthorn hay hays hazard hazel headstone hearty heath heather held hell helm hem hemi henna hens
herd hermitage heron herring hexing hickey hickory hicks hide highland highlands hill hills
hillside hind hire hit hocking hoes hogan holder holiday holler holly homburg homeland homer
homestead honcho honing hood hoof hook hope horde horn house hove hovel hub hue huff hug hull
humble hung hunt hunter hurricane ide imam immaculate imperial independence innocent ion iris ivory
ivy jacks jade jail jam jasmine jasper jet jingling job joke joy jubilee judge jug julienne junior
junk justice kale karma key keystone khan kick kiddy kidney killer kinder king kink kiss kitty
knight knoll lace lacy lad lady lakes lam lamas lamb lament lance lancing lander landing lane largo
larkspur lass lattes laurel lavender law lawless laze lea leach lean lee leech leek leer lees
legacy lei leis lend lens levy liberal liberty lice lie liege lien lies lily limerick limo linden
line link lips lira lisle list lithe little lively llamas llano llanos loan lode lofts lone long
loon looney loot lop lope lopes lord lore lot love low lower loyal luau lucid lucky luster lynch
mace macho mad madden made madras madrigal mads magenta magic magnolia mahogany maidenhead major
male mall mallet mallow mambo man manage mane manga mango manly manning manor mans mantilla mar
maracas marathon march mare mares marina marine mark marks marlin marry mars marsh mart marten
martens martial mas mascara mascot mason mast master mate mater mats matts max maxim maxima may
mayo mayor mayoral mead meadows mecca media medias medic medulla meg melody mentor merchant mercy
meridian merino merry mesa mesquite meta metro metropolis midland midstream midway mil mile miles
miller millet mills min mine miner mission mist misty mitt moan mobile mocha mol mold molder moles
moll monk monks monument moody moon moons moor moors moraine more moron morrow moss most moth mound
mountain mountainside much mule murk muscat must mustang nacho nadir nag nail nanny nary natal
neath newton nice nickel nil ninja noble noel noels normal north nova oak oasis ocher odd odds ode
officer ogre olds olive opportunity oral orange orchard orchards osprey over overland owe oxford
pace pacific page pages pail paisley pal palatine palazzo pall palls palm palmar palmetto palomino
pan panorama pant pap papa papaya par para paradise paramount pare parent park parks parkway parole
parry parsons parts paschal pastor pat patience patty paw payer peace peacock pearl peck pecs peer
pellet pen penny pent per peri perm pest petal peters pets petty phoenix pia picayune pier pierce
pike ping pinto piper piranhas pita plank plantation plaque plaza plover plum plunge pock pol pole
police poll polo pop pope poplar poppy portage porter posse post potter potters pottier pout power
powers pres price priest prince prior priors privet proctor progress promontory prospect prosper
providence provost prudence puck pueblo puma punch purity put quarto queen queens quill rafter raid
rail rails raja ram ran rares rattan ravel raven ray read reader reading real redwood reed reeves
refs rein reis renders republic reserve reservoir retreat revere rho rice rich richer rick riddle
ridge rifle rile rim ring rivers riverside roach roan roar rob rock rode rodeo roe rogers romaine
roman room roots rose rosebud rosemary roses rosette rosewood rosin rouge rout ruby ruddy rugby run
rune runny ruse rush rusk rust rustic rut ruts rye sacristan sad safari saga sager said sake saki
salami sale sales saline sally salmon salon salt salvo samba same sandal sander sanders sands
sandwich sandy sane sang sans sari sass savage savannah savant save sawmills sawyer say scarlet
schmuck scone scullion sears seaside sec sedan sellers semi senator send senna sera serge server
seven sever sexton shah shanghai shaping sharp sheikh shepherd sherry shields shine shone shoreline
short shush side sierra silk silvan sim simmering sims sine singer singleton sip sire siren sitar
sitters slough small smart smit smith smolders snot snow snowflake sol solar sole solver solvers
sonata song sonny soon soot soprano sot sparks spears speedway spies split spring springs stack
stains star stark steed steer stein sterling stern sterna steward stiller stock stoke stokes stone
storey storm storms story stout stow strand strawberry street strong success such sue suits sulphur
summer summers summit sun sunder sunrise sunset sunshine superior supple surprise surrey swift
swords sycamore tack tailor talent tamale tame tan tang tangier tank tanner taping tapping tar taro
tartar tea temperance temple tequila terrace than thatcher the tiara ties tilde till time tine tins
tire tome tone toner tony too tooting toots topic tor tore torrent torrents tors tours toy trail
triangle trim trinity tron trooper troy tubas tucker tulle tundra turner tusk tutu union university
upland uplands uptown urban vain valence valentine valiant valley valves van var varsity veer veli
vera vermilion vermillion vernal vial vicar victor victors victory vigil villa villas vineyard
viola violet visa vise vista von wade wadi wage wagoner wail waldo wales walker wall walls walnut
wan ward warder ware warmer warren warrior water waters watt watts way weaver wedding weeks weir
welch welcome welling wellington wells wen were west westerly wetter wheeler wheeling whetstone
whistler white whitefish wick widen wiener wild wilder will willow willows wills winter winters
wise wit wolf wolfram wood woodbine woodland woodlands woods worms worth wren wright yaw yen yoga
yogi young zero
""")
"""Names that are also plain words: "Rose", "Bill", "Reading". A name only by its context."""

COMMON_WORDS = word_set("""
abdomen abdominal abnormal abnormalities abnormality abnormally abortion abrasion abscess abscesses
absence absolutely abuse abusing accident accompanied accumulation ache aches aching acid acne
acting active activities actor acute addiction addition additional administer admits admitted
adrenal advise affected affecting affects afraid afternoon agreed aid airways alcohol alcoholic
alignment alive allergic allergies allergy alleviate alright anal anemia anesthesia aneurysm anger
angina angry animals ankle ankles answered anterior antibiotic antibiotics antibody antidepressants
antigen antisocial anus anxiety anxious anymore apparently appearance appearing appears
appendectomy appendicitis appendix appetite application appointment appropriate approximately arch
areas arms arterial arteries artery arthritis asked asking asleep aspect aspirin assay assess
assessment assistance assistant associated asthma atherosclerosis attacks attempted aunt autoimmune
average aware background bacteria bacterial balance barely based basically basis basketball
bathroom began beginning behavioral believes belly benefits benign bigger bilateral bile biopsy
birth birthday bite biting bladder bleed bleeding blindness blisters bloating block blockage
blocked bloodstream blurred blurry bone bothering bout bowel brace brain breast breasts breath
breathe breathing brings broke broken brothers brought buildup bump bumps bunion burn burning
buttock button bypass calcium calf called came cancer cancerous carbon cardiac caries carpal
cartilage cat cataract catheter caused causes causing cells cerebral cervical cervix changed
changes characterized chart checked cheek chemotherapy chest chickenpox children chills
chiropractor cholesterol chronic cigarette cigarettes circulation clean clinic clinician closely
closer clot clots clotting clouds cloudy cocaine coffee cognitive colitis colonoscopy combination
come comes comfortable coming commonly complained complaining complains complaint complaints
complete completed completely complication complications comprehensive compulsive computed
concerned concerning concerns conditions conduct conducting confirm confirmed confusion congenital
congested congestion conjunctivitis consciousness conservative consistent constant constantly
constipation consult consultation consultations consume consuming contact continued continues
continuous contract contracted contractions contributing controlling contusion conversation
coordination cope cornea corneal coronary correct cough coughing counseling count counter counts
cramping cramps cream cuff currently cute cycle cycles cyst dad daily damage damaged days daytime
dealing death decided decompression decrease decreased defect deficiency definitely deformities
deformity degeneration degenerative dehydration delivery delusions dementia denied denies density
dental dentist department depending depressed depression depressive dermatitis dermatologist
described describes describing description detachment detailed details detect developed developing
developmental develops diabetes diabetic diagnose diagnosed diagnosis diagnostic diaper diapers
diarrhea died diet difficulties difficulty digestion digestive diminished disability disc discharge
discharged discomfort discussed disease diseases disk dislocated dislocation disorder disorders
distress disturbance disturbances divorced dizziness dizzy doctors dominant dosage dose double
drainage draining drink drinker drinking drinks driver driving drops drugs dry dryness duct dull
duration dysfunction ear earlier ears ease easily eating eczema edema effective effects effusion
eighteen eighty elbow elbows electrical electrocardiogram electrolyte electrolytes elevated
embolism emergency emotional emphysema emptying enlarged enlargement ensure enzyme enzymes epilepsy
episode episodes erectile erection esophagus essential esteem evaluate evaluated evaluation
evaluations eventually exact exam examination examinations examine excess excessive excessively
excision exercise exercises exercising exertion experienced experiences experiencing explore
exposed exposure extent extreme extremely extremities extremity eyed eyelid eyelids eyes facial
facility facing factors failure faint fainted fainting fairly falling falls familiar faster fat
fatigue fatigued fears feed feeding feelings feels feet fell felt female fever fevers fifth filled
finding finger fingers finished fissure fix flashes flatulence floaters flow flu fluid fluids focal
followed following followup foods forgot forms found fourteen fracture fractured fractures
frequency frequent frequently friends frontal fully function functioning fungal fungus gain gained
gait gallbladder gallstones gastrointestinal gave generalized generally genetic genital genitalia
gentleman gets getting given giving glad gland glands glaucoma glucose going goiter gone gotten
grade gradually grandmother greater groin growing growths gum gums habits hallucinations handed
hands happened happening happens harder hardware hat haven having headache headaches heal healed
healing healthcare healthy heard hearing heartbeat heartbeats heartburn heat heel helped helpful
helping helps hematology hemoglobin hemorrhage hemorrhoids hepatitis hernia heroin herpes hey
higher highly hip hips hives hoarse honestly hormonal hormone hormones hospitalized hostile hours
hungry hurt hurting hurts hydrated hypertension hysterectomy ice ill illicit illness illnesses
images imaging imbalances immediate immediately immobilize immune impingement impotence improved
improvement improving incident incision included includes incontinence increased increasing
indicative infant infected infection infections infertility inflamed inflammation inflammatory
infrequent inhaler inhaling initial initially injection injections injured injuries injury inner
insect insertion insomnia instability instructions insufficiency insulin insurance intense
intercourse intermittent internal interviews intestinal intestine intestines intolerance
intravenous investigate involuntarily involuntary involved involving iron irregular irritability
irritable irritated irritation issues itchiness itching itchy jaundice jaw joint joints keeping
keeps kidneys kids knee kneecap knees known knows lab labor labs lack lactose lady landed lasting
lasts lately lateral leading leads legs lesion lesions leukemia levels lifestyle lift lifting
ligament limbs limited lining lip lipid lived liver lives living localized located location longer
looked looking looks losing lost lotion lumbar lump lumps lung lungs lupus lying lymph lymphoma
magnesium magnetic mainly makes making mammogram mammography managing marijuana married marrow mass
masses maternal meals means meantime measurement medial medication medications medicine medicines
melanoma members membrane menopause menstrual menstruation mental mentioned metabolic methadone
microscopic mid migraine migraines mild milk minimal minutes missed mobility moderate mom monitor
monitoring monoxide months mood morphine motion motor moved movements moves moving mucous multiple
muscle muscles muscular nails names narrowing nasal nausea nauseous neck needed needles needs
negative nerve nerves nervous nervousness neuralgia neuritis neurological neurologist nineteen
ninety nipple nodes non nonsmoker normally nose nosebleeds noted notes noticed noticing numb
numbness nurse nursing obesity object objects obsessive obstruction obstructive occasional
occasionally occupational occurred occurs odor okay ones ongoing onset ophthalmic opioids optic
options organ organs orthopedic osteoporosis ouch ounces outer outlet output ovarian ovaries
overall overflow oxygen pacemaker pack packs pain painful pains pale palpitations palsy pancreas
panel panic paralysis parasitic parents parts passed passing patches patella patient patients pee
peeling pelvic pelvis penis percent performed period periods peripheral persistent pharynx phlegm
phobias physician pills pimples pins pituitary placed placement placenta plain platelets playing
plenty plugged pneumonia poisoned poisoning polyp polyps possibility possibly posterior
postoperative posture potassium potential potentially pounds pregnancy pregnant premature prescribe
prescribed prescribing prescription presence presentation presented presents previous previously
primarily primary prior problem problems procedure procedures proceed produces producing products
progressed progressive progressively prolonged promote prompt proper properly prostate protein
provided psoriasis psychiatric psychological psychotherapy psychotic pulling pulmonary puncture pus
questions quick quitting rabies racing radial radiating radiation raised rapid rare rash rashes
rays reaction reactions received recommend recommended records recover recovery recreational rectal
rectum recurrent redness reduced reducing reduction refer referral referred refill regular
regularly regulate regurgitation rehabilitation related relax release relevant relief relieve
remembering remind removal remove removed renal repair repetitive replace replacement reported
reportedly reports reproductive required requires resolved resonance respiratory restless
restlessness restore resulting results retaining retention retina retinal retired returns review
reviewed rheumatic rhythm rib ribs ringing risks root rough roughness round routine running runny
runs salivary sample sarcoma saw saying says scale scalp scaly scan scans scar scared schedule
scheduled scheduling sciatica sclerosis scratch screen screening scrotum seasonal secondary seeing
seen seizure seizures self sensation sensations sensitivity sensory sent sepsis septic seventy
severe severity sex sexual sexually shape shingles shooting shop shortness shot shoulders showed
showing shows siblings sick sickle sided sides significantly signs sinus sinuses sinusitis sir
sisters sitting skull sleep sleepiness sleeping sleepy slipped slow slowly slurring smear smell
smoke smoked smoker smokes smoking sneezing snoring sodium soft somewhat sons soothe sore soreness
sores sorry sounds spasms speaking specialist specifically spells spinal spine spleen splint
splints spontaneous spot spots spotting sprain spray spread spreading sputum stabilize stable
stairs standing started starting starts stated states status staying stiff stiffness sting stinging
stomach stones stool stools stopped strain strange strength strep stress stressed stricture stroke
struggling stuck stuffy stung stye subcutaneous subsequently substance substances sudden suffered
suffering sugar sugars suggested suicidal supplements supply surgeries surgery surgical surrounding
suspect sustained suture suturing swallow swallowing sweating sweats swell swelling swings swollen
symptom symptoms syndrome syphilis systemic systems taken takes taking talking tap tarry taste tear
tearing tears techniques teeth telling tells temper temperature temporary tender tenderness tendons
tennis tension terms terrible tested testicle testicles testing tests tetanus thankfully
therapeutic therapy thick thigh things thinking thinks thirst thirsty thirteen thirty thoracic
thorough thoughts threatening threw throat thrombosis thumb thyroid tic tight tightness times
tingling tired tissue tissues tobacco toe toenail toes told tongue tonsillectomy tonsils took tooth
toothache topical torsion touch toxic toxicology track tract traction transmitted transplant trauma
traumatic treated treating treatments tremor tremors tried trigger trying tube tuberculosis tummy
tumor tumors tunnel turned turning twice twisted types typical typically ulcer ulcers ultrasound
unable uncomfortable undergo undergone underlying understanding underwent unfortunately unknown
unpredictable unrelated unremarkable untreated unusual upper urethra urge urgency urgent urinalysis
urinary urinate urinating urination urine usual uterine uterus vagina vaginal valve varicose
variety vehicle vein veins venous ventricular vertebra vertigo vessels viral virus vision visual
vitamin vitreous vocal vomit vomited vomiting vulva wake walking walks wanted warts weak weakness
wearing wears weird went wet wheelchair wheezing wine withdrawal woke women won wonderful wondering
words worked working works worried worse worsened worsening worst wound wounds wow wrist wrists
written years yeast yellow yesterday
""")
"""Frequent words that are no names; faker's and spaCy's lists of English words join them."""
