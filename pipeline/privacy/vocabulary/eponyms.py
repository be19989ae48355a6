"""Words that look like a person's or a town's name and mean a disease, a sign, a test or a drug."""

from __future__ import annotations

from medllm.pipeline.privacy.vocabulary import word_set

ALWAYS = word_set(
    """
    addison addisonian alport alzheimer alzheimers angelman apert apgar argyll arnold asherman
    asperger aspergers auspitz babinski bankart barre barré barrett barretts bartholin bartter
    basedow bazett becker behcet behçet bence bernoulli binet biot boerhaave bouchard bowen
    braxton brudzinski brugada buerger burkitt caldwell chagas charcot cheyne chiari chvostek
    cochran cochrane codman colles conn coombs coxsackie crohn crohns crouzon cushing cushings
    cushingoid dandy danlos darier dercum dequervain dieulafoy digeorge dix doppler down downs
    dravet dressler duchenne duffy dupuytren dupuytrens ebstein edwards ehlers eisenmenger
    epley epstein epworth erb ewing fabry fallot fanconi fehling felty finkelstein fisher foley
    fournier framingham freiberg friedreich frohlich galeazzi gardnerella gaucher gilbert
    gilberts giemsa gleason goodpasture gottron gowers gram graves grawitz guillain guyon hakim
    hallpike hansen hartmann hashimoto hashimotos haversian hawkins heberden heimlich heinz
    gehrig friedrich parsonage hirschsprung hodgkin hodgkins hoffa hoffmann holter homan homans
    horner howell hunter huntington huntingtons jarisch jobe jolly kaplan kaposi kallmann
    kallman karnofsky kartagener kawasaki kayser kegel kegels keller kernig kienbock killip
    kirschner klinefelter klumpke korotkoff korsakoff krabbe krukenberg kussmaul lachman
    lambert langerhans lefort legg legionnaire legionnaires leriche lewy lhermitte libman
    likert lindau lisfranc listeria loeffler lou ludwig lyme lynch mallory mantoux marburg
    marfan mcburney mcmurray meckel mediterranean meier ménière menieres meniere mobitz moebius
    mohs moro munchausen neer nissen norwalk noonan osgood ovid paget pagets pancoast
    papanicolaou parkinson parkinsonian parkinsons parkinsonism patau pearson pelizaeus perthes
    petit petri peutz peyer peyronie peyronies phalen phalens plummer poisson pott potts prader
    prinzmetal psoriasis pugh purkinje quervain quincke ramsay ramstedt raynaud raynauds reiter
    reiters reye reyes reinke rett rinne romberg rorschach ross rotterdam roux salter
    salmonella schatzki schirmer schlemm schilling schwann schlatter scheuermann sengstaken
    sertoli sever sheehan shirodkar sjogren sjogrens sjögren snellen spearman spurling
    stargardt stokes student sydenham syme takayasu takotsubo tanner tay tourette tourettes
    towne trendelenburg trousseau turcot tzanck valsalva virchow vincent volkmann wallenberg
    wasserman waterhouse weber wechsler wegener wegeners weil weiss wernicke werner westergren
    whipple wickham widal willebrand willis wilcoxon wilms wolff wuchereria yergason yersinia
    zenker zollinger zollinger-ellison stevens-johnson guillain-barre guillain-barré
    osgood-schlatter epstein-barr graves' mann-whitney kaplan-meier child-pugh
    charcot-marie-tooth peutz-jeghers ehlers-danlos prader-willi creutzfeldt creutzfeldt-jakob
    jakob kruskal kruskal-wallis wallis zika ebola krebs henle golgi cheyne-stokes
    mallory-weiss wolff-parkinson-white lewis-sumner lambert-eaton wernicke-korsakoff
    von-willebrand bonferroni ortolani barlow ballard guthrie morgagni hickman jackson-pratt
    jamar jobst unna semmes-weinstein semmes reed-sternberg sternberg house-brackmann brackmann
    breslow timi broviac groshong hemovac blakemore sengstaken dobhoff yankauer seldinger
    tenckhoff mahurkar kirschner steinmann pavlik ilizarov charnley girdlestone bankart
    latarjet lisfranc maisonneuve colles monteggia galeazzi segond hangman galant moro dubowitz
    finnegan centor rockall blatchford maddrey child-pugh ranson balthazar hinchey gleason
    fuhrman karnofsky lansky fitzpatrick lund-browder adson spurling lhermitte kernig
    brudzinski waddell lasegue schober trendelenburg lachman mcmurray apley hawkins-kennedy
    neer yergason finkelstein eichhoff phalen tinel froment wartenberg homan homans buerger
    rovsing mcburney carnett courvoisier rinne schirmer amsler snellen jaeger ishihara goldmann
    dix-hallpike epley semont stroop rorschach hachinski yahr gowers bochdalek couinaud schmorl
    bosniak fleischner tarlov meyerding modic ludwig meniere hashimoto bayes bayesian cox
    mantel haenszel hosmer lemeshow tukey levene shapiro dunnett jadad newcastle-ottawa bland
    altman friedewald cockcroft gault schwartz beighton borg oswestry beck hamilton zung katz
    barthel braden norton wagner wexner garden
    """
)
"""Eponyms that are no name without a title, a first name or another sign of a person."""

WITH_HEAD = word_set(
    """
    nile cobb friedman ryan alvarado bolton cohen amsterdam bournemouth monte richmond norwood
    fischer allen anderson baker bakers bell bells bennett berger blalock blount boston brown
    burton byrne castle chance charles christmas clark cooper cotton crawford davis dennis duke
    ellis evans forbes foster fox franklin gardner george gibson gordon grey griffith haglund
    hall harris harrison henderson henoch hill hopkins huber hughes hunt hutchinson jackson
    james jefferson johnson jones kasai kelly kennedy king kocher koch lane lawrence lewis
    lloyd lund mahaim marie marshall martin may mccune miller milroy mitchell monro montgomery
    moore morgan morris morton mueller munro murphy murphys noble nelson osler parker paul
    perry pierre pierce price reed reid richter riley ritter robinson rogers russell sanders
    scott scribner shulman smith stanley stein stevens stewart still stills thomas thompson
    tinel todd tommy turner von wada walker wallace ward warren watson weaver wells west
    whitney williams wilson wilsons wood wright young barcelona berlin bethesda bristol calgary
    canberra chicago edinburgh glasgow hongkong jerusalem lisbon london manchester mayo
    melbourne milan minnesota montreal nottingham oxford paris philadelphia rome rotterdam
    seattle stanford sydney tokyo toronto vancouver vienna columbia baltimore framingham
    houston johns utah
    """
)
"""An eponym only before one of HEADS, as in "Bell's palsy" or "Glasgow Coma Scale"."""

MORE = word_set(
    """
    aaron abadie abderhalden achard adamkiewicz adie aicardi albers-schonberg albright alexander
    allis alport amplatz anitschkow anton argyll-robertson aschoff auerbach auspitz austin-flint
    baastrup bainbridge balint balser bannayan-riley-ruvalcaba bannwarth banti bardet-biedl barlow
    barsony bastedo battle batten baxter bazin bechterew beckwith beckwith-wiedemann beevor
    bekhterev
    benedikt bennett bernard-soulier bertolotti bielschowsky bignami billroth bitot blaschko bloom
    blount blumer boas bovie boyden brenner brissaud broca brockenbrough brodie brown-sequard
    brown-séquard brunner bruns bryant budd budd-chiari burkholderia cabot caffey calot camurati
    canavan cantlie capgras caplan caprini cardarelli carey-coombs carney caroli carpenter carvallo
    castell castleman chadwick chance charcot-leyden chauffard chediak chediak-higashi chevalier
    chopart christmas churg churg-strauss clara claude clutton cobb coffin-lowry cogan collet cooley
    cori cornelia corrigan corti costen cotard courvoisier cowden cronkhite cruveilhier cullen
    curling curschmann d'amato dalrymple damus dance darier davydov debakey dejerine
    dejerine-klumpke
    delphian dennie denonvilliers denys-drash dercum descemet devic dietl dobutamine donath donders
    donnan donovan douglas drash dubin dubin-johnson ducrey duke dukes dunphy duroziez durkan
    edinger
    elsberg emery-dreifuss erdheim escherich esmarch evans ewart faber faget farber favaloro felson
    ferguson fick fiessinger fisch fitz fitz-hugh fitz-hugh-curtis flexner fogarty fontaine fontan
    forchheimer fordyce forestier forrester fothergill fox-fordyce freyberg froin frey fröhlich
    gallavardin ganser garre gartner gasser gerhardt gerota gerstmann ghon gianotti-crosti gitelman
    glanzmann glasgow gleeson glisson goldblatt goldenhar goltz gordon gorham gorlin gradenigo
    gram-negative greig grocco grynfeltt gubler gull gunn haemophilus haglund hallopeau hamman hand
    hand-schuller-christian harada hardy-weinberg harlequin hartnup harvey hasson hegar heller hellp
    henderson-hasselbalch henoch-schonlein hering-breuer hermansky-pudlak herring heschl hess
    hesselbach
    heyde highmore hilar hill-sachs his hoehn hoover hounsfield houston howship hoyer hudson
    hurler hurthle isaacs ivemark jaccoud jackson jacod jacobson janeway jansky jendrassik
    jervell joffroy jod-basedow kanavel kanner kasabach kasabach-merritt kearns-sayre kehr kelly
    kerley kimmelstiel kleihauer kleihauer-betke kleine-levin klippel-feil klippel-trenaunay kluver
    kluver-bucy kopp koebner koplik koro kocher kohler kugelberg kupffer kveim kwashiorkor ladd
    laennec
    landau-kleffner landry langer langhans laplace larrey lasegue laurence leber legg-calve-perthes
    leigh leiner lennox lennox-gastaut lesch-nyhan leser-trelat levine leydig lichtenberg lieberkuhn
    liddle linton littre littré litten loeys-dietz lofgren lowenberg lown lown-ganong-levine
    luciani luschka
    macewen macleod madelung maffucci magendie malpighi manning marchiafava marcus-gunn marjolin
    martin-gruber martorell mauriceau mayer-rokitansky mayne mazzotti mcardle mccune-albright
    mcginn mcginn-white meigs meissner melkersson menkes mendelson menetrier ménétrier merkel
    michaelis
    mikulicz millard mirizzi moll monge monro-kellie montenegro morquio mucha murphy murray
    nabothian
    naffziger nelson nikolsky nissl noonan nuck oddi ogilvie olliver ollier omaya ommaya ondine
    opitz
    oppenheim oral-b oriental ormond ortner osler osler-weber-rendu osborn otto pacinian palfrey
    panner panton-valentine pap parinaud parona patrick pautrier pearl-index pel-ebstein pellegrini
    pemberton perlman pfannenstiel phemister pickwick pickwickian pierre-robin pinard pinel piskacek
    pitres plesch plaut-vincent poland pompe pontiac pringle profeta puestow pulfrich quant
    queckenstedt
    queyrat quinke rapp-hodgkin rathke recklinghausen reed refsum reichert reil rendu retzius
    richter riedel rieger riehl rigler ritter robertson roger rokitansky romana romaña rosai-dorfman
    rosenbach rosenmuller rosenthal roth rotor rouget rouvière rubinstein-taybi ruffini russell
    ruvalcaba sabin saint sandhoff sandifer santorini scarpa schamberg scheie schober
    schwartz-jampel schwachman shwachman-diamond shagreen sharpey shy shy-drager sigmund
    silver-russell simmonds sipple
    sister sjögren-larsson skene sly smith-lemli-opitz sneddon sotos spielmeyer sprengel stauffer
    steele
    stein-leventhal stellwag stensen stenson still stickler straus sturge sturge-weber sudeck
    sylvius
    swan swan-ganz tarnier tay-sachs terry thiersch thomsen tietze todd tolosa tolosa-hunt topfer
    torre treacher traube troisier troponin tullio uhthoff valleix vater verner verocay vinson
    virchow-robin
    vogt vogt-koyanagi volhard von-recklinghausen waardenburg wada waldenstrom waldenström waldeyer
    waller wallerian warthin waterston weber-christian weingarten wells wenckebach werdnig
    werdnig-hoffmann werlhof westphal wharton whitmore wickham willebrand wilmington winslow
    winterbottom
    wirsung wolfram wolman wood-lamp woods woronoff zahn zellweger ziehl ziehl-neelsen ziemssen
    zuckerkandl zinn billings boari brauer burch bateman judd kausch kelling lich
    gregoir heineke mikulicz-radecki hofmeister roux-en-y toupet belsey collis thal merendino
    ivor-lewis
    blalock-taussig norwood-sano rastelli jatene senning mustard glenn batista cabrol bentall maze
    lichtenstein bassini mcvay shouldice desarda gilmore bogota harris-hip broström brostrom
    evans-elmslie
    austin akin keller-brandes lapidus mitchell weil mumford putti-platt bristow neer-ii kessler
    kleinert brunner-incision sauve-kapandji darrach ender rush kuntscher küntscher denis-browne
    ponseti milch holdsworth gustilo gustilo-anderson tscherne salter-harris schatzker lauge-hansen
    danis-weber lenke risser bado mason regan-morrey mayo-robson hawkins evans-jensen pauwels
    vancouver paprosky brooker kellgren kellgren-lawrence outerbridge ahlback stulberg herring
    catterall graf crowe tonnis tönnis
    mifflin harris-benedict schofield katch devine du-bois dubois mosteller haycock naegele
    landolt colvard schanz rasch dillman cohens sprague dawley wistar henkel hedley kattan
    """
)
"""More eponyms of signs, operations and classifications; an eponym only before one of HEADS where
the word is also an ordinary family name."""

HEADS = word_set(
    """
    technique nomogram pin halo histology design statistic hardness taxonomy ligature needle
    excision staple stapler approach osteotomy flap correction et kappa blue discrepancy ratio
    profile carlo questionnaire dissection agitation rats
    deprivation operations agammaglobulinemia agent anemia aneurysm angle aphasia area
    arthritis ataxia atrophy attack bacillus block bodies body bougie bow brace bundle bypass
    canal cast cataract catheter cell cells chorea chromosome classification clamp coefficient
    cohort coma consensus contracture criteria criterion curve cyst cysts dance deformity
    dementia depression dermatosis diet disease diseases disorder diverticulum drain duct
    dystrophy elevator encephalopathy equation erythema esophagus eye fever fibers fibres flap
    flu forceps formula fracture fractures frame fundoplication ganglion gait gland glands
    gonorrhea goiter granuloma grade grading group hemangioma hernia hip hormone hypothesis
    incision index infarct inventory jerk joint ketoacidosis law lesion line lines lip litmus
    loop lymphoma macule malformation maneuver manoeuvre measles melanosis membrane method
    mites model modification monitor murmur muscle needle nephritis neuralgia neuroma
    neuropathy node nodes nodule nodules nystagmus obliterans oedema operation ophthalmopathy
    oesophagus palsy paralysis patch patches phenomenon plaque plexus position postnatal pouch
    procedure protocol pruritus pupil purpura rash reaction reflex regimen repair respiration
    response retractor rhythm ring rings rule rules sarcoma scale score scoring screening shunt
    sign signs sinus sling snare speculum spots stage staging stain stockings stool stroke
    suture syndrome syndromes system tamponade tendon tendonitis test tests tetralogy tetanus
    thyroiditis traction triad triangle tube tumor tumour ulcer ulcers unit vaccine valve
    variant veins vertigo view virus wave willi zone parkinson lindau hurst barr tooth stokes
    marie sézary sezary robin hunt vietnam cognitive multiphasic hallpike disability
    cardiomyopathy hemophilia schonlein pachydermia
    """
)
"""Words that follow an eponym within three words."""

LOOK_ALIKES = word_set(
    """
    honda toyota chevy subaru nissan hyundai mazda bmw audi volkswagen volvo tesla lexus corolla
    camry prius mustang hang lemme yamaha vespa peugeot renault skoda vauxhall suzuki mitsubishi
    adriamycin afrin aleve alli alma allegra altace amaryl ambien amaryllis ana androgel
    angelica ativan avelox aviane beta yasmin yaz diane mirena camila errin nora soma artane
    avon sano sami calan candida celeste corona elisa ella estelle ester eva gianvi isa
    jolivette lipitor lyrica makena marlissa mina natalia nexa ocella portia regina samar
    sienna sprintec valium viagra wal xanax zarah zyrtec tamiflu melena ela lena petra virginia
    carolina georgia dakota montana israel jordan chad india china holland france england
    ireland brittany asia america kenya cuba trinidad guinea malta cyprus french german english
    spanish irish danish dutch welch scot christian jewish doctor doc dear sir madam mam maam
    dr miss hai hallo namaste salam guest user patient hello thanks thank regards yes okay nope
    chatdoctor chat healthcaremagic hcm icliniq website online google january february march
    april may june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday christmas easter dey lin yang kasai ki wen un mri ct ecg
    ekg eeg emg ent icu usa uk us gp md ob gyn pcp er tv ac pc api ai god lord jesus allah okey
    borns chol comp dural gravis leep littles meth pian ramus rima sitz spina sternal alesse okey
    dawley sprague lasik naegele henkel tobi tarceva silver come iban ismo almora tara fano buddha
    bible facebook twitter whatsapp
    youtube amazon medicare medicaid aids covid hiv sars mers alpha gamma delta omega sigma
    lambda kappa epsilon theta zeta vicks dettol disprin crocin combiflam benadryl tylenol
    advil motrin nyquil robitussin mucinex pepto zantac nexium prilosec maalox tums
    """
)
"""Drugs, countries, greetings, sites and abbreviations among the names: plain words here."""

SURE_HEADS = word_set(
    """
    agammaglobulinemia ataxia bodies chorea chromosome contracture criteria deformity dementia
    disease diseases diverticulum dystrophy encephalopathy esophagus fundoplication lymphoma
    malformation maneuver manoeuvre neuroma node nodes palsy phenomenon reflex sarcoma sign
    signs syndrome syndromes tetralogy thyroiditis triad tumor tumour stain nephritis fracture
    catheter stage
    """
)
"""Words that never stand right behind a person's name."""

NEVER = word_set(
    """
    mister miss mrs ms chat doctor dr doc sir madam mam maam dear user patient friend all
    everyone team hello hi hey hai thanks thank you your regards please there welcome good
    morning evening afternoon night the a an i it my we he she they this that these those what
    when where who why how is are was were do does did can could should would have has had if
    in on at of for from to with and but or so not no yes ok okay as well also after before
    since because though according any some sorry god got nice additionally furthermore however
    therefore lastly finally firstly secondly hopefully kindly center centre oral fleet let
    mother father mum mom dad son daughter wife husband brother sister baby child boy girl oh
    ah um
    """
)
"""Words of address and of grammar that no rule takes for a name."""
