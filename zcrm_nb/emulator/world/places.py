"""Countries, cities and the names that belong there. All firms and people are made up.

Telephone numbers come from ranges kept for fiction (United Kingdom, United States); elsewhere they
start with a zero behind the area code, which no subscriber's number does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from zcrm_nb.emulator.world.text import slug

#: What a firm does, and the choice of ``Industry`` that goes with it.
TRADES = {
    "Agro": "Agriculture", "Auto Components": "Automotive", "Builders": "Construction",
    "Chemicals": "Manufacturing", "Diagnostics": "Healthcare", "Energy": "Energy",
    "Engineering": "Manufacturing", "Finserv": "Financial Services", "Foods": "Food Processing",
    "Hospitality": "Hospitality", "Infotech": "IT Services", "Instruments": "Manufacturing",
    "Learning": "Education", "Logistics": "Logistics", "Pharma": "Pharmaceuticals",
    "Realty": "Real Estate", "Retail": "Retail", "Telecom": "Telecom", "Textiles": "Textiles",
    "Water Systems": "Manufacturing",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Company:
    """A firm; its mail lives under ``domain``."""

    name: str
    domain: str
    industry: str


@dataclass(frozen=True)
class Country:
    """How people and firms of one country are called; the names are parted by spaces.

    ``mobile`` is a template for one random number, ``staff`` the place in ``staff.PEOPLE`` of
    the user who looks after the country, ``None`` for all.
    """

    name: str
    women: str
    men: str
    surnames: str
    brands: str
    legal_forms: tuple[str, ...]
    streets: tuple[str, ...]
    mobile: str
    staff: int | None = None

    @cached_property
    def given(self) -> tuple[tuple[str, bool], ...]:
        """First names, and whether they are a woman's."""
        return tuple(
            (name.replace("_", " "), is_woman)
            for names, is_woman in ((self.women, True), (self.men, False))
            for name in names.split()
        )

    @cached_property
    def family(self) -> tuple[str, ...]:
        """Last names."""
        return tuple(self.surnames.split())

    @cached_property
    def companies(self) -> tuple[Company, ...]:
        """Every firm the brands and trades make."""
        pairs = [(brand, trade) for brand in self.brands.split() for trade in TRADES]
        forms = self.legal_forms
        return tuple(
            Company(
                f"{brand.replace('_', ' ')} {trade} {forms[n % len(forms)]}",
                f"{slug(brand)}-{slug(trade)}.test",
                TRADES[trade],
            )
            for n, (brand, trade) in enumerate(pairs)
        )


INDIA = Country(
    "India",
    women="Aarti Aditi Ananya Anjali Asha Bhavna Deepa Divya Farida Gayatri Ishita Jyoti Kavita"
    " Kavya Lata Madhuri Meenakshi Nandini Neha Nisha Pooja Priyanka Radhika Rekha Ritu"
    " Sangeeta Shalini Shreya Sneha Sunita Swati Tanvi Usha Vidya Zoya",
    men="Abhishek Aditya Ajay Amit Anil Arun Ashok Balaji Chetan Deepak Dinesh Faisal Ganesh"
    " Gurpreet Harish Irfan Karthik Kiran Mahesh Manish Mohammed Mukesh Naveen Nikhil Pankaj"
    " Prakash Praveen Rahul Rajesh Rakesh Ravi Sachin Sandeep Sanjay Siddharth Sunil Tushar Vijay"
    " Vinod Yash",
    surnames="Agarwal Ahmed Arora Banerjee Bhat Bose Chatterjee Chauhan Das Desai Dutta"
    " Fernandes Ghosh Goyal Gowda Gupta Iyer Jain Jha Joshi Kaur Khan Kulkarni Kumar"
    " Mehta Menon Mishra Mukherjee Nair Naidu Pandey Patel Patil Pillai Rao Rathore Reddy Saxena"
    " Sen Shah Sharma Shetty Shinde Singh Sinha Srinivasan Thakur Thomas Tiwari Trivedi Varma"
    " Verma Yadav",
    brands="Aravalli Ashoka Brahmani Chandan Chinar Deccan Dhruv Gagan Ganga Godavari Himgiri Indus"
    " Jagat Kaveri Konark Krishna Lotus Malabar Mandovi Narmada Nilgiri Padma Prithvi Rajhans"
    " Sahyadri Saral Satpura Shakti Surya Swastik Tapti Triveni Udaan Utkal Vaigai Vasundhara",
    legal_forms=("Pvt Ltd", "LLP", "Ltd", "& Sons", "Industries"),
    streets=("MG Road", "Station Road", "Gandhi Marg", "Ring Road", "Industrial Area Phase II",
             "Nehru Nagar", "Link Road", "Park Street", "Lal Bagh Road", "Sector 18"),
    mobile="+91 01%08d",
)  # fmt: skip
EMIRATES = Country(
    "United Arab Emirates",
    women="Aisha Fatima Hessa Latifa Layla Mariam Noura Reem Salma Shamma",
    men="Abdullah Ahmed Hamad Hassan Khalid Mansour Mohammed Rashid Saeed Yousef",
    surnames="Al-Amiri Al-Farsi Al-Hamadi Al-Ketbi Al-Mazrouei Al-Suwaidi Darwish Haddad Khoury"
    " Saleh",
    brands="Al_Bahar Al_Noor Falcon_Bay Ghaf_Tree Jumana Marjan Oryx_Star Rimal Sidra Wadi_Gold",
    legal_forms=("LLC", "FZE", "Trading LLC"),
    streets=("Sheikh Rashid Road", "Corniche Street", "Al Khail Street", "Port Saeed Road"),
    mobile="+971 50 0%06d",
    staff=7,
)
BRITAIN = Country(
    "United Kingdom",
    women="Alice Charlotte Eleanor Fiona Grace Imogen Niamh Rosie Siân Zara",
    men="Alistair Callum Edward Gareth Harry Liam Oliver Rhys Simon Tom",
    surnames="Ashworth Bennett Campbell Davies Evans Hughes MacDonald O'Neil Patel Smith-Jones"
    " Taylor Walker Wright",
    brands="Ashdown Blackthorn Cotswold Dovedale Eskdale Fenland Harrow_Hill Kestrel Thornbury"
    " Wharfedale",
    legal_forms=("Ltd", "plc", "& Co"),
    streets=("High Street", "Station Road", "Victoria Street", "Mill Lane"),
    mobile="+44 7700 900%03d",
    staff=8,
)
STATES = Country(
    "United States",
    women="Ashley Emily Jasmine Jessica Karen Linda Maria Megan Rachel Samantha",
    men="Brandon Carlos Eric Jason Kevin Luis Marcus Ryan Tyler William",
    surnames="Anderson Brown Garcia Johnson Lee Martinez Miller Nguyen O'Brien Robinson"
    " Williams Young",
    brands="Bluestem Cascade Cedar_Falls Copperline Great_Plains Lakeshore Pinecrest Redwood_Gap"
    " Summit_Ridge Tidewater",
    legal_forms=("Inc", "LLC", "Corp"),
    streets=("Main St", "Elm Street", "5th Avenue", "Commerce Blvd"),
    mobile="+1 617-555-01%02d",
    staff=9,
)
SINGAPORE = Country(
    "Singapore",
    women="Hui_Min Jia_Yi Li_Ting Mei_Ling Nurul Shu_Fen Siew_Ling Xin_Yi",
    men="Boon_Keng Farhan Jun_Wei Kok_Wah Ming_Hui Wei_Jie Yong_Sheng Zhi_Hao",
    surnames="Chan Goh Koh Lee Lim Ng Ong Rahman Tan Teo Wong",
    brands="Bayfront Banyan_Court Merbau Orchid_Lane Raintree Sentul Straits_Link Tembusu",
    legal_forms=("Pte Ltd",),
    streets=("Orchard Lane", "Shenton Row", "Ubi Avenue 3", "Tampines Street 9"),
    mobile="+65 01%06d",
    staff=7,
)
KENYA = Country(
    "Kenya",
    women="Achieng Akinyi Faith Mercy Mumbua Njeri Wambui Zawadi",
    men="Brian Juma Kamau Kiprono Mwangi Odhiambo Otieno Peter",
    surnames="Cheruiyot Kariuki Kimani Mutua Mwangi Njoroge Ochieng Omondi Onyango Wafula",
    brands="Amboseli Baraka Jambo Mara Savanna_Sky Tausi Tsavo Umoja",
    legal_forms=("Ltd", "Enterprises", "Co-operative"),
    streets=("Kenyatta Avenue", "Moi Road", "Uhuru Highway", "Ngong Lane"),
    mobile="+254 0%08d",
    staff=7,
)


@dataclass(frozen=True, slots=True)
class City:
    """A city; ``zip_code`` and ``phone`` are templates for one random number."""

    name: str
    state: str
    country: Country
    zip_code: str
    phone: str
    weight: float


CITIES = (
    City("New Delhi", "Delhi", INDIA, "110%03d", "+91 11 0%07d", 10.5),
    City("Mumbai", "Maharashtra", INDIA, "400%03d", "+91 22 0%07d", 12),
    City("Bengaluru", "Karnataka", INDIA, "560%03d", "+91 80 0%07d", 11),
    City("Hyderabad", "Telangana", INDIA, "500%03d", "+91 40 0%07d", 8),
    City("Chennai", "Tamil Nadu", INDIA, "600%03d", "+91 44 0%07d", 8),
    City("Pune", "Maharashtra", INDIA, "411%03d", "+91 20 0%07d", 7),
    City("Kolkata", "West Bengal", INDIA, "700%03d", "+91 33 0%07d", 6),
    City("Ahmedabad", "Gujarat", INDIA, "380%03d", "+91 79 0%07d", 5),
    City("Jaipur", "Rajasthan", INDIA, "302%03d", "+91 141 0%06d", 3),
    City("Kochi", "Kerala", INDIA, "682%03d", "+91 484 0%06d", 2.5),
    City("Indore", "Madhya Pradesh", INDIA, "452%03d", "+91 731 0%06d", 2),
    City("Lucknow", "Uttar Pradesh", INDIA, "226%03d", "+91 522 0%06d", 2),
    City("Guwahati", "Assam", INDIA, "781%03d", "+91 361 0%06d", 1),
    City("Dubai", "Dubai", EMIRATES, "00000", "+971 4 0%06d", 4.5),
    City("Abu Dhabi", "Abu Dhabi", EMIRATES, "00000", "+971 2 0%06d", 2),
    City("London", "England", BRITAIN, "EC1A %01dBB", "+44 20 7946 0%03d", 4),
    City("Leeds", "England", BRITAIN, "LS1 %01dAA", "+44 113 496 0%03d", 1.5),
    City("New York", "NY", STATES, "10%03d", "+1 212-555-01%02d", 3),
    City(
        "Boston", "MA", STATES, "02%03d", "+1 617-555-01%02d", 2
    ),  # a zip code that no number type survives
    City("Austin", "TX", STATES, "78%03d", "+1 512-555-01%02d", 1),
    City("Singapore", "Singapore", SINGAPORE, "018%03d", "+65 0%07d", 3),
    City("Nairobi", "Nairobi County", KENYA, "00%03d", "+254 20 0%06d", 2),
)
