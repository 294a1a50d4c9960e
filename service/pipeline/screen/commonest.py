"""The commonest words of languages in Latin script, folded, by which a text's language is told.

A word that several languages share stands under each of them, so that it decides between none of them. English is the
longest: people in danger and clinicians write a handful of words, and one of them must be known.
"""

from typing import Final

NEUTRAL: Final = frozenset(
    {"mg", "ml", "kg", "mcg", "ug", "g", "cm", "mm", "mmol", "ok", "l", "dl", "h"}
)  # of no language
ROMANISED: Final = "other"  # Hindi and Urdu in Latin letters: told from English, and no language that advice is in

COMMON: Final = {
    "en": "the and is my i im have has with what for you it can do does he she her his of a to should after how "
    "are was pain chest doctor cant help been not now please this that when patient feel need baby "
    # grammar
    "me no in on at by up out off an or but so as if be am were being had having did didnt done dont doing doesnt "
    "isnt arent wasnt werent hasnt havent hadnt will wont would wouldnt could couldnt shouldnt may might must cannot "
    "we us our you your yours he him himself its hes shes hers herself they them their theyre themselves ive ill id "
    "mine myself youre were thats theres whats who whos whose which why where there here these those then than into "
    "over under about from without within until till during since before between through because while although "
    "though per via one two three four five six seven eight nine ten first last next all any anyone anything every "
    "everyone everybody everything everywhere some someone somebody something nobody nothing none both each other "
    "another many much more most few less lot lots very too just only also even still again already never always "
    "often sometimes ever yet else almost nearly really badly suddenly slightly well only around behind versus "
    "get gets got getting go goes going gone went come comes came coming take takes took taken taking give gave given "
    "giving make makes made making keep keeps kept put let say says said saying tell told ask asked asking know think "
    "thinks thought see sees saw seen seeing look looks feels feeling felt want wants wanted wanna gonna try trying "
    "use used find found start started starting stop stopped stopping wake wakes woke waking move moving turn turned "
    "turning call called happens happened help helps keep leave leaves show shows write explain need needs "
    "planning plan working playing running standing sitting lying walking talking "
    # time and measure
    "today tonight yesterday tomorrow morning mornings afternoon evening night overnight day days week weeks weekend "
    "month months year years old hour hours minute minutes mins seconds ago daily twice once soon later long time "
    "times early late always monday tuesday wednesday thursday friday saturday sunday half "
    # people
    "someone mum mom dad mother father parents husband wife partner boyfriend girlfriend son sons daughter brother "
    "sister uncle aunt grandma grandmother grandpa grandad grandfather friend neighbour neighbor roommate colleague "
    "man woman men women boy girl kid kids child children toddler infant newborn people family teacher student nurse "
    "hospital yes yeah thanks thank hello hi sorry "
    # the body
    "heart head headache headaches neck back belly stomach tummy throat mouth tongue lips lip nose ear ears eye eyes "
    "eyelid vision face jaw arm arms hand hands finger fingers leg legs foot feet knee ankle hip toe toes shoulder "
    "wrist thigh skin bone brain kidney liver bladder bowel lungs blood breath breathe breathing pulse voice speech "
    "urine pee poo stool stools nappy body side left right weight birth period pregnant pregnancy "
    # complaints
    "ache aches aching hurt hurts hurting sore swelling swollen swelled bleeding bleed bleeds cut burn burns burnt "
    "burning burned rash itch itchy itching hives fever feverish cough coughing coughed cold hot sweat sweating "
    "sweaty shaking shivering dizzy faint fainted passed weak weakness numb tingling tight tightness pressure stiff "
    "sudden severe worse worst bad mild deep heavy hard high low big small hoarse pale blue grey gray red black "
    "yellow purple white dark dry wet raw sick vomiting vomit vomited throwing threw swallow swallowed swallowing "
    "drank drink drinking drunk ate eat eating drooling choking choked wheezing wheeze breathless collapsed confused "
    "drowsy sleepy sleep sleeping asleep awake floppy limp unconscious unresponsive seizure seizures jerking fell "
    "fall fallen hit bite bitten stung sting stab stabbed shot injury wound broken poisoning poison stroke "
    "attack allergy allergies allergic diabetic sugar sugars infection blocked stuck trouble "
    "emergency suicidal kill killing die died dying dead death harm alone goodbye worried scared "
    # what is taken, and what is asked
    "pill pills tablet tablets medicine medication medications meds dose drug drugs antibiotics painkillers bottle "
    "water food test tests results surgery clinic ambulance treatment treat symptoms signs causes vaccine vaccines "
    "scan shift ward safe normal fine better good best okay new usual difference guidelines guideline summarise "
    "summarize draft template leaflet letter diet exercises exercise tips advice check health age level levels hair "
    "cream questions explained benefits reduce "
    # clinicians' notes
    "pt hx yo yr ed bp hr rr gcs sats spo2 ecg ekg stemi cp sob pending bolus suspected acute onset od bd bid prn c "
    # what an apostrophe leaves
    "s t m d ll isn wasn aren weren doesn didn don hasn haven hadn couldn wouldn shouldn won ain",
    "es": "el la los las un una que de mi me es y con por para tengo estoy tiene esta pero muy dolor como no "
    "hijo mucho hace puedo si del al ayuda siento su "
    "en lo le se te ya mas he ha has son soy eres sin nada todo cuando donde quien porque desde hasta entre sobre "
    "mis sus tu yo ella nos hay ser fue era puede quiero quiere siente bien mal ahora hoy ayer noche dia dias horas "
    "semana semanas meses anos cada tomo tomado pecho cabeza sangre pastillas tableta tabletas respirar respira "
    "respiro duele duelen muero morir morirme vivir hija madre padre mama papa esposo esposa abuelo abuela hermano "
    "hermana bebe nino nina fiebre tos embarazada embarazo doctor medico hospital alergia brazo pierna cara boca "
    "labios garganta veo oye dormir come bebe infarto normal",
    "fr": "le la les un une des je j ai mon ma mes est et avec pour que qui il elle dans pas ne depuis mal fait "
    "suis au du sur quoi c mal tres douleur "
    "en me te se ce ca cette son sa ses nous vous ils elles a as ont avait etait sont mais ou si plus sans sous "
    "entre quand comment pourquoi toujours jamais bien aussi tout tous rien non oui peux peut veux veut faire prendre "
    "pris mange jour jours heure heures semaine semaines mois ans nuit matin aujourd hui hier fils fille mere pere "
    "mari femme bebe enfant ami tete poitrine ventre coeur bras jambe pied main pain son sang saigne respirer respire "
    "mourir vivre fievre toux enceinte medecin hopital dose trop peu l d n s m t arrive envie par infarctus normal",
    "de": "der die das und ich mein meine ist nicht habe hat mit ein eine seit zu er sie es im kann auf starke "
    "schmerzen was wie sehr bin den "
    "in an am so war will man also mir mich dich sich uns wir ihr ihn ihm dem des einen einem einer meiner meinem "
    "meinen kein keine keinen bei von vom zum zur nach vor aus um als wenn dann aber oder noch nur mehr schon wieder "
    "jetzt heute gestern nacht tag tage stunden wochen monate jahre sind haben wird werden wurde muss soll darf macht "
    "geht tut weh luft atmen atmet bekomme bekommt blut blutet brust kopf bauch arm hand bein fuss kind sohn tochter "
    "mutter vater mann frau leben sterben tot fieber husten schwanger arzt hilfe bitte "
    "brustschmerzen herzinfarkt schlaganfall",
    "pt": "o a os as um uma que de meu minha e com por para estou tenho esta nao mas muito dor como filho faz "
    "do da em posso peito ele ela "
    "no na nos nas dos das ao me se te eu voce sua seu meus minhas mais sem ja foi ser sou era ha ter tem pode quero "
    "quer quando onde quem porque desde ate entre sobre isso isto agora hoje ontem noite dia dias horas semana semanas "
    "meses anos dose tomei tomou cabeca sangue respirar respira doi morrer viver filha mae pai marido esposa avo "
    "bebe crianca febre tosse gravida medico ajuda braco perna rosto boca labios garganta comprimidos bem mal "
    "infarto so",
    "it": "il lo la gli le un una che di mio mia e con per sono ho ha non ma molto dolore come da nel mi della "
    "voglio sto piu dopo aver perche "
    "in no me te se si ci ti io lui lei noi al del dal alla dalla dello sul sulla i o a ed anche ancora sempre mai "
    "adesso ora oggi ieri notte giorno giorni ore settimana settimane mesi anni fa male fare posso puo devo deve hai "
    "abbiamo era stato quando dove chi cosa petto testa sangue respirare respira respiro riesco riesce morire vivere "
    "figlio figlia madre padre mamma papa marito moglie nonno nonna bambino bambina febbre tosse incinta medico aiuto "
    "braccio gamba faccia bocca labbra gola pastiglie compresse dose bene infarto",
    "nl": "de het een en ik mijn is niet heb heeft met voor dat hij zij op pijn wat van veel erg "
    "in we er om te aan bij uit of als maar dan nog ook al was die dit deze zijn haar hem mij me je jij u ons geen "
    "meer zo over hoe waarom wanneer waar wie kan kunnen wil moet mag ga gaat krijg krijgt lucht adem ademen bloed "
    "bloedt borst hoofd buik arm hand been voet kind zoon dochter moeder vader man vrouw leven dood sterven koorts "
    "hoest zwanger dokter hulp alsjeblieft nu vandaag gisteren nacht dag dagen uur uren weken week jaar",
    "tr": "bir ve bu icin cok benim var ne ile agri agrim nasil mi degil ama "
    "yok istiyorum kendimi artik annem babam agriyor nefes lutfen kalp "
    "da de ki o ben sen biz beni bana onu ona gibi daha sonra once simdi bugun dun gece gun saat hafta yil kadar "
    "oglum kizim kan ates ilac hap icti yedi olmek yasamak doktor yardim "
    "her on an at in hep hic iyi kotu bas gogsum kendi istemiyor etmek eder oluyor oldu son hayat hayatima",
    "pl": "i w na nie jest mam mnie boli z do sie co jak bardzo moj moja od chce juz po jakie moge "
    "to on ona by my ten ta te za a o u ze ale czy tak mi ma moje mojej mojego jego jej go ja ty tu tam teraz dzis "
    "wczoraj noc dzien dni godzin tygodni lat dziecko syn corka matka ojciec maz zona krew oddychac zyc umrzec "
    "goraczka kaszel ciazy lekarz pomocy tabletek",
    "vi": "toi bi va la co khong cua dau con cho mot rat nguoi thuoc uong duoc nua khi "
    "me anh em chi ba bo minh nay do day cac nhung thi ma o trong ngoai tren duoi va hay sau truoc ngay gio tuan "
    "thang nam kho tho nguc mau sot ho chet song muon giup lam hai ban than tu y dinh an so can on to thi hat "
    "uong mong "
    "xin cai roi gi sao nao dang the tim tay chan bung vien",
    "id": "saya dan yang di ini itu dengan untuk tidak sakit anak apa bisa dari aku mau "
    "ke ada dia ibu ayah bapak suami istri kami kita sudah belum akan sangat sekali lagi juga atau pada karena "
    "setelah kalau sejak hari jam minggu bulan tahun dada kepala darah napas demam batuk kena stroke hamil mati "
    "hidup obat tolong "
    "air",
    "sw": "na ya wa ni mimi yangu nina maumivu sana kwa mtoto nini je "
    "la za cha vya kama lakini au pia bado sasa leo jana siku saa wiki mwezi mwaka yake wake wangu yeye sisi wao hii "
    "hiyo siwezi hawezi naweza anaweza sijui nataka anataka ninahisi nahisi kifua kichwa tumbo damu kupumua homa "
    "kikohozi mjamzito mama baba mume mke daktari msaada tafadhali dawa kufa",
    ROMANISED: "hai hain hoon hun ho mein main mujhe mera meri mere hum humein uska uski usko unko woh wo yeh ye nahi "
    "nahin nhi kya kyun kaise kab kahan aur ya lekin magar agar toh bhi hi ka ki ke ko se par tak liye raha rahi rahe "
    "gaya gayi gaye tha thi hua hui kar karo karna karun kare chahta chahti chahiye sakta sakti ab abhi aaj kal "
    "bahut bohot zyada thoda kuch koi dard saans khoon bukhar khansi pet seene seena sar sir haath pair dil dawa "
    "dawai goli goliyan marna jeena behosh beta beti maa ammi abbu papa bhai behen pati biwi bachcha madad",
}
