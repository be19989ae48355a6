"""Names of the held-out set; none stands in the development set.

About two people in five have a name that is common in the United States (US Census Bureau, 2010
surnames; Social Security Administration, given names), and some of those are also words or stand
in an eponym (Rose, Dawn, Young, White, Baker, Hunter, Turner).
"""

_COMMON = (
    ("Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Karen Sarah Nancy Lisa Margaret "
     "Sandra Ashley Kimberly Emily Donna Michelle Carol Amanda Melissa Rebecca Laura Cynthia Amy "
     "Angela Brenda Pamela Nicole Rose Dawn Faith Iris Mary_Ann Mary_Beth",
     "James Robert John Michael David William Richard Joseph Thomas Christopher Charles Daniel "
     "Matthew Anthony Steven Paul Andrew Joshua Kenneth Kevin Brian George Timothy Ronald Jason "
     "Edward Jeffrey Ryan Frank Art Drew Ray Jack Dale",
     "Smith Johnson Williams Brown Jones Miller Davis Anderson Taylor Moore Jackson Martin Lee "
     "Thompson White Harris Lewis Robinson Walker Young Allen King Wright Scott Hill Green Adams "
     "Nelson Baker Hall Campbell Mitchell Carter Roberts Phillips Evans Turner Parker Collins "
     "Edwards Stewart Morris Murphy Cook Rogers Hunter Cooper Peterson Reed Ward Brooks Wood "
     "Watson Kelly Sanders Banks Stokes Parsons"),
    ("Maria Carmen Rosa Ana Teresa Veronica Yolanda Luz Marisol Esperanza Dolores",
     "José Luis Carlos Juan Miguel Jorge Ramón Hector Jesús Alejandro Raúl",
     "Garcia Rodriguez Martinez Hernandez Lopez Gonzalez Perez Sanchez Ramirez Torres Flores "
     "Rivera Gomez Diaz Cruz Morales Ortiz Gutierrez Chavez Ramos Ruiz Mendoza Vasquez Castillo"),
    ("Latoya Keisha Tanisha Ebony Shanice Imani Shaniqua Aaliyah",
     "Darnell Tyrone Jamal DeShawn Marquis Terrence LaMarcus Reggie",
     "Washington Jefferson Booker Gaines Muhammad Dorsey Battle Witherspoon Mosley Hairston"),
)  # fmt: skip
# origin: women's given names, men's given names, surnames
_OTHER = {
    "scottish": ("Catriona Fiona", "Hamish Callum", "MacLeod Urquhart McAllister"),
    "icelandic": ("Guðrún Sigríður", "Björn Magnús", "Jónsdóttir Þorsteinsson"),
    "finnish": ("Aino Päivi", "Jukka Eero", "Virtanen Koskinen Mäkelä"),
    "danish": ("Karen_Marie Kirsten", "Søren Niels", "Rasmussen Nørgaard Kjær"),
    "baltic": ("Rasa Inga Kadri", "Vytautas Juris Toomas", "Kazlauskas Bērziņš Tamm"),
    "hungarian": ("Zsuzsanna Ildikó", "Gábor László", "Nagy Szabó Horváth"),
    "romanian": ("Ileana Mihaela", "Vasile Dragoș", "Popescu Ionescu Munteanu"),
    "balkan": ("Jelena Snežana Vesna", "Dragan Zoran Hristo", "Petrović Kovačević Dimitrov"),
    "ukrainian": ("Oksana Olena", "Taras Bohdan", "Shevchenko Kovalenko Bondarchuk"),
    "georgian": ("Nino Ketevan", "Giorgi Zurab", "Kvaratskhelia Beridze"),
    "albanian": ("Drita Valbona", "Besnik Agron", "Hoxha Krasniqi"),
    "basque": ("Itziar Nerea", "Iker Gorka", "Etxeberria Aguirre"),
    "catalan": ("Montserrat Núria", "Jordi Oriol", "Puigdollers Ferrer"),
    "swiss": ("Vreni Ursula", "Urs Beat", "Zumbühl Aebischer"),
    "flemish": ("Greet Liesbeth", "Wim Bart", "Vandenbroucke De_Smet"),
    "kurdish": ("Rojin Berfin", "Azad Serhat", "Barzani Demirtaş"),
    "afghan": ("Farzana Nasrin", "Najibullah Wali", "Ahmadzai Popal"),
    "iraqi": ("Zaynab Noor", "Haider Mustafa", "al-Jubouri Kadhim"),
    "egyptian": ("Mariam Nermeen", "Mina Sherif", "Abdel-Fattah Girgis"),
    "moroccan": ("Latifa Hanane", "Driss Mehdi", "Benjelloun El_Amrani"),
    "bengali": ("Nusrat Sharmin", "Rafiqul Anwar", "Rahman Chowdhury Mukherjee"),
    "gujarati": ("Hetal Bhavna", "Nilesh Jignesh", "Patel Shah Desai"),
    "punjabi": ("Manpreet Gurleen", "Gurpreet Balwinder", "Singh Dhillon Kaur"),
    "malayali": ("Bindu Sreelatha", "Sajan Biju", "Kurian Nambiar Varghese"),
    "telugu": ("Padmavathi Swathi", "Srinivas Nagarjuna", "Reddy Venkataramana"),
    "nepali": ("Sunita Pabitra", "Bishnu Prakash", "Tamang Gurung Adhikari"),
    "sinhala": ("Chamari Dilini", "Nuwan Ruwan", "Jayasuriya Wickramasinghe"),
    "thai": ("Siriporn Kanya", "Somchai Prasert", "Srisuwan Charoenkul"),
    "khmer": ("Sophea Channary", "Sokha Veasna", "Chea Sok Prak"),
    "hmong": ("Pa_Houa Mai_See", "Tou_Ger Chue", "Vang Xiong Yang"),
    "burmese": ("Thida Khin", "Aung Kyaw", "Htun Zaw"),
    "indonesian": ("Dewi Ratna", "Budi Agus", "Wijaya Santoso"),
    "cantonese": ("Wing-Yan Suk-Yee", "Ka-Ming Chi-Wai", "Cheung Leung Kwok"),
    "taiwanese": ("Shu-Fen Ya-Ting", "Chih-Hao Wen-Hsiung", "Tsai Hsieh Wu"),
    "samoan": ("Sina Lagi", "Tavita Ioane", "Tuiasosopo Faleolo"),
    "lakota": ("Winona Wičhahpi", "Chaska Mato", "Two_Bulls Iron_Cloud"),
    "eritrean": ("Letebrhan Akberet", "Yonas Mehari", "Tekle Woldu Habte"),
    "kenyan": ("Wanjiru Achieng", "Kamau Otieno", "Mwangi Odhiambo Njoroge"),
    "zulu": ("Nomvula Thandeka", "Sipho Bongani", "Dlamini Mkhize"),
    "congolese": ("Mireille Espérance", "Trésor Dieudonné", "Mbuyi Kabongo Ilunga"),
    "senegalese": ("Aminata Fatou", "Mamadou Ousmane", "Diallo Ndiaye Sow"),
    "jamaican": ("Shauna-Kay Marcia", "Delroy Winston", "Bogle Cargill"),
    "brazilian": ("Luciana Jussara", "Wellington Edson", "da_Silva Nascimento"),
    "ashkenazi": ("Miriam Rivka", "Shmuel Yitzhak", "Goldfarb Katzenelson Levy"),
}  # fmt: skip

ORIGINS = (*_COMMON[:1] * 18, *_COMMON[1:2] * 7, *_COMMON[2:] * 3, *_OTHER.values())
