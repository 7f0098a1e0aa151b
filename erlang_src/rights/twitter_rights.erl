%%% @doc Whom an author's roster lets see his presence. Where rosters are in Mnesia and nobody else adds
%%% to them, what was read there is remembered in the core until it changes; everywhere else ejabberd is
%%% asked each time, or SQL for many at once ({@link twitter_sql_rights}).
-module(twitter_rights).
-behaviour(twitter_watch).

-include_lib("ejabberd/include/mod_roster.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([recipients/1, recheck/2, readers/2, who_let_see/3, forget/1, bytes/1]).
-export([subject/0, begun/0, matters/1, changes/2, changed/2, ended/1]).

%% What is remembered takes so many bytes at most, about.
-define(MAX_BYTES, 134_217_728).
%% So often at most a roster is read again because it changed while it was read.
-define(MAX_READS, 3).

%% @doc Whom a post of a local author goes to now on this server, and who can be reached; of contacts on
%% others the domains. All of these functions are to
%% be called after {@link twitter_watch:sync/0}.
-spec recipients(Author :: jid:jid()) -> twitter_nif:fanout().
recipients(Author) ->
    Here = twitter_sessions:here(),
    Hosts = ejabberd_option:hosts(),
    Name = jid:encode(Author),
    Ask = fun(Rosters) -> twitter_nif:remembered_recipients(Rosters, Name, Here, Hosts) end,
    case remembered(Author, Ask) of
        {ok, Fanout} -> Fanout;
        error -> twitter_nif:recipients(Name, twitter_roster:lines(Author), Here, Hosts)
    end.

%% @doc Takes from those who are left whom the roster no longer lets see the author.
-spec recheck(twitter_nif:fanout(), Author :: jid:jid()) -> ok.
recheck(Fanout, Author) ->
    Name = jid:encode(Author),
    case remembered(Author, fun(Rosters) -> twitter_nif:remembered_recheck(Rosters, Name, Fanout) end) of
        {ok, checked} -> ok;
        error -> twitter_nif:recheck(Fanout, twitter_roster:lines(Author))
    end.

%% @doc The contacts on another server whom an author's roster lets see him.
-spec readers(Author :: jid:jid(), Domain :: binary()) -> [twitter_nif:jid()].
readers(Author, Domain) ->
    Name = jid:encode(Author),
    case remembered(Author, fun(Rosters) -> twitter_nif:remembered_readers(Rosters, Name, Domain) end) of
        {ok, Readers} -> Readers;
        error -> [jid:encode({User, Domain, <<>>})
                  || {User, Server, _Name, Subscription} <- twitter_roster:lines(Author), Server =:= Domain,
                     Subscription =:= from orelse Subscription =:= both]
    end.

%% @doc Those of a vhost's users whose rosters let this reader, a bare JID, see them.
-spec who_let_see(ServerHost :: binary(), Authors :: [twitter_nif:jid()], Reader :: jid:jid()) ->
          [twitter_nif:jid()].
who_let_see(ServerHost, Authors, Reader) ->
    case twitter_watch:find(?MODULE, ServerHost) of
        {ok, Rosters} ->
            LReader = jid:tolower(Reader),
            Name = jid:encode(LReader),
            [Author || {Author, Known} <- lists:zip(Authors, twitter_nif:sees(Rosters, Name, Authors)),
                       Known =:= true
                           orelse Known =:= unknown andalso read(Rosters, Author, LReader, Name)];
        error ->
            case twitter_sql_rights:who_let_see(ServerHost, Authors, Reader) of
                {ok, Some} -> Some;
                error -> [Author || Author <- Authors, twitter_roster:lets_see(twitter_roster:bare(Author), Reader)]
            end
    end.

%% @doc Forgets what is remembered.
-spec forget(ServerHost :: binary()) -> ok.
forget(ServerHost) ->
    case twitter_watch:find(?MODULE, ServerHost) of
        {ok, Rosters} -> twitter_nif:rosters_reset(Rosters);
        error -> ok
    end.

%% @doc How much memory is taken by what is remembered, in bytes, about.
-spec bytes(ServerHost :: binary()) -> non_neg_integer().
bytes(ServerHost) ->
    case twitter_watch:find(?MODULE, ServerHost) of
        {ok, Rosters} -> twitter_nif:rosters_bytes(Rosters);
        error -> 0
    end.

%% One line of a roster.
read(Rosters, Author, LReader, Reader) ->
    #jid{luser = LUser, lserver = LServer} = twitter_roster:bare(Author),
    Version = twitter_nif:roster_version(Rosters, Author),
    Sees = lists:any(fun gives_right/1, mnesia:dirty_read(roster, {LUser, LServer, LReader})),
    %% If it changed meanwhile, this answer was right when it was read, and is not remembered.
    _ = twitter_nif:roster_answer(Rosters, Author, Version, Reader, Sees),
    Sees.

%% Asks what is remembered of an author's roster, and reads the roster if need be.
remembered(#jid{lserver = LServer} = Author, Ask) ->
    case twitter_watch:find(?MODULE, LServer) of
        {ok, Rosters} -> remembered(Rosters, Author, Ask, ?MAX_READS);
        error -> error
    end.

remembered(Rosters, Author, Ask, Reads) ->
    case Ask(Rosters) of
        {error, not_loaded} when Reads > 0 ->
            load(Rosters, Author),
            remembered(Rosters, Author, Ask, Reads - 1);
        {error, not_loaded} ->
            error;
        Answer ->
            Answer
    end.

load(Rosters, #jid{luser = LUser, lserver = LServer} = Author) ->
    Name = jid:encode(Author),
    Version = twitter_nif:roster_version(Rosters, Name),
    Items = mnesia:dirty_index_read(roster, {LUser, LServer}, #roster.us),
    Readers = [jid:encode(jid:remove_resource(Contact))
               || #roster{jid = Contact} = Item <- Items, gives_right(Item)],
    twitter_nif:roster_load(Rosters, Name, Version, Readers).

gives_right(#roster{subscription = both}) -> true;
gives_right(#roster{subscription = from}) -> true;
gives_right(_Item) -> false.

%% @private
-spec subject() -> twitter_watch:subject().
subject() ->
    #{table => roster, owner => mod_roster, backend => mod_roster_mnesia,
      hooks => [{roster_get, [mod_roster]}, {roster_get_jid_info, [mod_roster]}]}.

%% @private
-spec begun() -> twitter_nif:rosters().
begun() ->
    twitter_nif:rosters_new(?MAX_BYTES).

%% @private
-spec matters(Key :: term()) -> true.
matters(_Key) -> true.

%% @private
-spec changes(twitter_nif:rosters(), Key :: term()) -> ok.
changes(Rosters, Key) ->
    twitter_nif:roster_changes(Rosters, author(Key)).

%% @private
-spec changed(twitter_nif:rosters(), Key :: term()) -> ok.
changed(Rosters, Key) ->
    twitter_nif:roster_changed(Rosters, author(Key)).

author({LUser, LServer, _Contact}) ->
    <<LUser/binary, "@", LServer/binary>>.

%% @private Whoever still holds it finds nothing in it.
-spec ended(twitter_nif:rosters()) -> ok.
ended(Rosters) ->
    twitter_nif:rosters_reset(Rosters).
