%%% @doc Brings the events of one post to recipients on this server: to their sessions.
%%%
%%% With `delivery: fast' a session sends an event without running the hooks for received stanzas;
%%% ARCHITECTURE.md tells why no module of ejabberd misses it. For whoever has a privacy list the hooks of
%%% the session are run nevertheless. With `delivery: full' all hooks are run, those of the router as well.
-module(twitter_delivery).

-include_lib("xmpp/include/xmpp.hrl").

-export([new/5, to_own/3, to_recipients/2, routed/1, is_ours/1]).
-export_type([delivery/0]).

-record(delivery, {author :: jid:jid(),
                   flow :: twitter_flow:flow(),
                   %% Who has got the events.
                   fanout :: twitter_nif:fanout(),
                   full :: [twitter_c2s:marked()],
                   %% `none' if the admin wants all hooks for everybody.
                   fast :: [twitter_c2s:marked()] | none}).
-opaque delivery() :: #delivery{}.

-type recipient() :: {Number :: non_neg_integer(), User :: binary(), Server :: binary(),
                      [twitter_nif:session()] | elsewhere}.

%% @doc Events of an author on their way.
-spec new(twitter_c2s:about(), twitter_flow:flow(), [message()], fast | full, twitter_nif:fanout()) -> delivery().
new(#{author := Author} = About, Flow, Events, Way, Fanout) ->
    #delivery{author = twitter_roster:bare(Author), flow = Flow, fanout = Fanout,
              full = [twitter_c2s:full(Event, About, Flow) || Event <- Events],
              fast = case Way of
                         fast ->
                             IsQuiet = twitter_c2s:is_quiet(),
                             [twitter_c2s:fast(Event, About, Flow, IsQuiet) || Event <- Events];
                         full -> none
                     end}.

%% @doc To the author's own sessions here, but for the one that published.
-spec to_own(delivery(), Publisher :: jid:jid(), Own :: jid:jid()) -> ok.
to_own(Delivery, #jid{lresource = Publisher}, #jid{luser = LUser, lserver = LServer} = Own) ->
    Events = events(Delivery, Own, twitter_blocks:may_block(LUser, LServer)),
    Others = [Session || {_, Resource} = Session <- twitter_sessions:of_user(Own), Resource =/= Publisher],
    counted(Delivery,
            lists:foldl(fun(Session, Sent) -> hand_over(Delivery, author, Events, Own, Session, Sent) end,
                        sent(), Others)).

%% @doc To these recipients, but for those whom the author blocks or who block him.
-spec to_recipients(delivery(), [recipient()]) -> ok.
to_recipients(#delivery{author = Author} = Delivery, Recipients) ->
    AuthorMayBlock = twitter_blocks:may_have_list(Author),
    Blockers = maps:from_list([{Host, twitter_blocks:blockers(Host)} || Host <- ejabberd_option:hosts()]),
    counted(Delivery,
            lists:foldl(fun({Number, User, Server, Sessions}, Sent) ->
                                Reader = bare(User, Server),
                                MayBlock = {AuthorMayBlock, may_block(User, Server, Blockers)},
                                to_recipient(Delivery, Number, MayBlock, Reader, Sessions, Sent)
                        end, sent(), Recipients)).

may_block(User, Server, Blockers) ->
    case Blockers of
        #{Server := Known} -> twitter_blocks:may_block(User, Server, Known);
        #{} -> true
    end.

%% As jid:make/2 would, which prepares once more what is prepared.
bare(User, Server) ->
    #jid{user = User, server = Server, luser = User, lserver = Server}.

to_recipient(Delivery, Number, MayBlock, #jid{lserver = LServer} = Reader, elsewhere, Sent) ->
    case twitter_roster:is_local(Reader) of
        true ->
            ok = twitter_c2s:attend(LServer),
            to_recipient(Delivery, Number, MayBlock, Reader, twitter_sessions:of_user(Reader), Sent);
        false ->
            %% His server gets it for all: see {@link twitter_link}.
            Sent
    end;
to_recipient(#delivery{author = Author} = Delivery, Number, {AuthorMayBlock, ReaderMayBlock}, Reader,
             Sessions, Sent) ->
    Events = events(Delivery, Reader, ReaderMayBlock),
    lists:foldl(
      fun({_, Resource} = Session, Before) ->
              %% A block may concern a single resource. Whether the reader refuses the author, the session knows.
              To = Reader#jid{resource = Resource, lresource = Resource},
              case AuthorMayBlock andalso twitter_roster:hides(Author, To) of
                  true -> withheld(Before);
                  false -> hand_over(Delivery, Number, Events, Reader, Session, Before)
              end
      end, Sent, Sessions).

%% The events as this reader gets them. Who has a privacy list gets them by the way on which the session
%% consults it.
events(#delivery{fast = none, full = Full}, Reader, _MayBlock) -> hooked(Full, Reader);
events(#delivery{full = Full}, _Reader, true) -> Full;
events(#delivery{fast = Fast}, _Reader, false) -> Fast.

hooked(Events, Reader) ->
    [{Received#message{meta = maps:merge(Received#message.meta, Mark)}, Bytes}
     || {#message{meta = Mark} = Event, Bytes} <- Events,
        Received <- routed(Event#message{to = Reader, meta = #{}})].

%% @doc What the router would have let through, with what it would have been turned into.
-spec routed(message()) -> [message()].
routed(#message{to = #jid{lserver = LServer}, meta = Meta} = Event) ->
    Marked = Event#message{meta = Meta#{?MODULE => ours}},
    [Received || #message{} = Routed <- [ejabberd_hooks:run_fold(filter_packet, Marked, [])],
                 #message{} = Received <- [ejabberd_hooks:run_fold(sm_receive_packet, LServer, Routed, [])]].

%% @doc Whether an event comes from here, whatever service it names: no other server can say so.
-spec is_ours(message()) -> boolean().
is_ours(#message{meta = Meta}) ->
    is_map_key(?MODULE, Meta) orelse twitter_c2s:is_marked(Meta).

%% Straight to the session: a headline to a bare JID would pass by resources of negative priority.
%% The full JID says for whom it is also when the session ends before it takes the message: then ejabberd
%% routes that to the session that has resumed or replaced it, and to no other of the user's.
hand_over(#delivery{flow = Flow, fanout = Fanout}, Whom, Events, Reader, {Pid, Resource}, Sent) ->
    To = Reader#jid{resource = Resource, lresource = Resource},
    {Messages, Bytes} =
        lists:mapfoldl(fun({Event, Size}, Sum) -> {{route, Event#message{to = To}}, Sum + Size} end, 0, Events),
    ok = twitter_flow:depart(Flow, Bytes),
    case twitter_nif:hand_over(Fanout, Whom, Resource, Pid, Messages) of
        true ->
            pushed(Events, Sent);
        false ->
            %% By a worker that was killed.
            ok = twitter_flow:arrive(Flow, Bytes),
            Sent
    end.

%% What was sent, counted once for many recipients.
sent() -> {0, 0}.

pushed(Events, {Pushed, Withheld}) -> {Pushed + length(Events), Withheld}.

withheld({Pushed, Withheld}) -> {Pushed, Withheld + 1}.

counted(#delivery{flow = Flow}, {Pushed, Withheld}) ->
    twitter_flow:count(Flow, pushed, Pushed),
    twitter_flow:count(Flow, withheld, Withheld).
